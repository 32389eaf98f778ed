package org.fettle.steps;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.StepKernels;

/**
 * Weight normalisation: a weight as direction and magnitude.
 *
 * <pre>
 * w = gamma * v / |v|
 * backward: dgamma = &lt;dw, v&gt; / |v| ;  dv = gamma / |v| * (dw - dgamma * v / |v|)
 * </pre>
 *
 * <p>The norm runs over all axes but one, in double. Where it is 0 the results are 0 and counted;
 * PyTorch gives NaN. All tensors are F32. The same bits on every backend. Source: arXiv:1602.07868;
 * torch._weight_norm.
 */
public final class WeightNorm {
  private WeightNorm() {}

  /**
   * The weight.
   *
   * @param axis the axis that is kept, from 0; -1 for none: one norm over the whole tensor
   * @param direction v
   * @param magnitude gamma, one element per index of the axis
   * @param output receives w
   * @return how many indices of the axis have a norm of 0
   */
  public static long forward(
      Backend backend, int axis, Tensor direction, Tensor magnitude, Tensor output) {
    Access.checks(backend)
        .reads("direction", direction)
        .reads("magnitude", magnitude)
        .writesLike("output", output, direction)
        .done();
    Kernels.f32("output", output);
    return run(Access.engine(backend), axis, 0, direction, magnitude, null, output, null);
  }

  /**
   * The gradients.
   *
   * @param axis as in {@link #forward}
   * @param direction v
   * @param magnitude gamma
   * @param gradient dw, of the weight
   * @param directionGradient receives dv
   * @param magnitudeGradient receives dgamma
   * @return how many indices of the axis have a norm of 0
   */
  public static long backward(
      Backend backend,
      int axis,
      Tensor direction,
      Tensor magnitude,
      Tensor gradient,
      Tensor directionGradient,
      Tensor magnitudeGradient) {
    Access.checks(backend)
        .reads("direction", direction)
        .reads("magnitude", magnitude)
        .readsLike("gradient", gradient, direction)
        .writesLike("directionGradient", directionGradient, direction)
        .writesLike("magnitudeGradient", magnitudeGradient, magnitude)
        .done();
    Kernels.f32("gradient", gradient);
    Kernels.f32("directionGradient", directionGradient);
    Kernels.f32("magnitudeGradient", magnitudeGradient);
    return run(
        Access.engine(backend),
        axis,
        1,
        direction,
        magnitude,
        gradient,
        directionGradient,
        magnitudeGradient);
  }

  /** Mode 0 forward, 1 backward, 2 backward with the norm frozen. */
  static long run(
      Engine engine,
      int axis,
      int mode,
      Tensor direction,
      Tensor magnitude,
      Tensor gradient,
      Tensor output,
      Tensor magnitudeGradient) {
    long[] shape = direction.shape();
    Range.check("axis", axis, axis >= -1 && axis < shape.length, "-1 to " + (shape.length - 1));
    Kernels.f32("direction", direction);
    long outer = 1;
    long inner = 1;
    long extent = axis < 0 ? 1 : shape[axis];
    for (int i = 0; i < shape.length; i++) {
      if (axis < 0 || i > axis) {
        inner *= shape[i];
      } else if (i < axis) {
        outer *= shape[i];
      }
    }
    if (magnitude != null) {
      Kernels.f32("magnitude", magnitude);
      if (magnitude.elements() != extent) {
        throw new IllegalArgumentException(
            "magnitude is " + magnitude + ": expected " + extent + " elements");
      }
    }
    Tensor norms = engine.allocate(DType.F64, new long[] {extent}, 0);
    try {
      engine.run(
          new KernelCall(StepKernels.AXIS_NORM)
              .arrays(direction, magnitude, gradient, output, magnitudeGradient, norms)
              .integers(outer, extent, inner, mode)
              .units(extent, direction.elements()));
      long zeros = 0;
      for (double norm : Doubles.read(engine, norms)) {
        zeros += norm == 0 ? 1 : 0;
      }
      return zeros;
    } finally {
      engine.release(norms);
    }
  }
}
