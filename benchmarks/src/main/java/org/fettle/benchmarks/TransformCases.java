package org.fettle.benchmarks;

import java.util.List;
import java.util.OptionalDouble;
import org.fettle.DType;
import org.fettle.Gradients;
import org.fettle.Parameter;
import org.fettle.Perturbation;
import org.fettle.Tensor;
import org.fettle.steps.Adafactor;
import org.fettle.steps.AdafactorOptions;

/** Steps that are no rules, and what comes before a step. */
final class TransformCases {
  private static final Shape.Stream P = Shape.Stream.read("p", DType.F32);
  private static final Shape.Stream G = Shape.Stream.read("g", DType.F32);

  private TransformCases() {}

  static List<KernelCase> all() {
    return List.of(
        KernelCases.large(
            "step.adafactor",
            // The parameter's norm, the gradient's row and column sums, the update's norm, the
            // update.
            List.of(
                Shape.Pass.of(P),
                Shape.Pass.of(G),
                Shape.Pass.of(G),
                Shape.Pass.of(Shape.Stream.inPlace("p", DType.F32), G)),
            (backend, arrays) -> {
              Tensor p = KernelCases.floats(arrays, "x", KernelCases.ROWS, KernelCases.COLUMNS);
              Tensor g = KernelCases.floats(arrays, "g", KernelCases.ROWS, KernelCases.COLUMNS);
              AdafactorOptions options =
                  new AdafactorOptions(
                      OptionalDouble.of(1e-3),
                      1e-30,
                      1e-3,
                      1.0,
                      -0.8,
                      OptionalDouble.empty(),
                      0,
                      true,
                      false,
                      false);
              Adafactor step = new Adafactor(backend, options, List.of(Parameter.of(p, g)));
              return step::step;
            }),
        KernelCases.large(
            "gradients.clip",
            // The norm, and the product where something is clipped, as here always.
            List.of(Shape.Pass.of(G), Shape.Pass.of(Shape.Stream.inPlace("g", DType.F32))),
            (backend, arrays) -> {
              Tensor g = KernelCases.floats(arrays, "x", KernelCases.LARGE);
              Gradients gradients = Gradients.on(backend);
              double[] norm = {1e3};
              return () -> {
                norm[0] *= 0.999;
                gradients.clipByGlobalNorm(norm[0], Gradients.Norm.TWO, List.of(g));
              };
            }),
        KernelCases.large(
            "gradients.perpendicular",
            List.of(
                Shape.Pass.of(P, G),
                Shape.Pass.of(P, G),
                Shape.Pass.of(P, G, Shape.Stream.written("out", DType.F32))),
            (backend, arrays) -> {
              Tensor p = KernelCases.floats(arrays, "x", KernelCases.LARGE);
              Tensor g = KernelCases.floats(arrays, "g", KernelCases.LARGE);
              Tensor out = Tensor.allocate(DType.F32, KernelCases.LARGE);
              Gradients gradients = Gradients.on(backend);
              return () -> gradients.perpendicular(List.of(p), List.of(g), List.of(out));
            }),
        KernelCases.large(
            "perturbation.sam",
            // The norm; parameters, gradient and copy; and back.
            List.of(
                Shape.Pass.of(G),
                Shape.Pass.of(
                    Shape.Stream.inPlace("p", DType.F32),
                    G,
                    Shape.Stream.written("copy", DType.F32)),
                Shape.Pass.of(
                    Shape.Stream.read("copy", DType.F32), Shape.Stream.written("p", DType.F32))),
            (backend, arrays) -> {
              Tensor p = KernelCases.floats(arrays, "x", KernelCases.LARGE);
              Tensor g = KernelCases.floats(arrays, "g", KernelCases.LARGE);
              Perturbation sam =
                  Perturbation.sam(backend, 0.05, false, List.of(Parameter.of(p, g)));
              return () -> {
                sam.ascend();
                sam.restore();
              };
            }));
  }
}
