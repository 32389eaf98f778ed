package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.steps.Manifold;
import org.fettle.steps.RiemannianAdaGrad;
import org.fettle.steps.RiemannianAdam;

/** Points on the ball and the sphere. */
final class RiemannianReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("riemannian_adam_poincare", "riemannian_adam_sphere", "riemannian_adagrad");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Manifold manifold =
        new Manifold(
            hyper.word("manifold").equals("sphere") ? Manifold.Kind.SPHERE : Manifold.Kind.BALL,
            hyper.number("curvature_c"),
            hyper.number("boundary_eps", 1e-5));
    Parameter parameter = LossStepReplay.parameter(golden.array("x0"), bench);
    if (golden.method().equals("riemannian_adagrad")) {
      adagrad(golden, manifold, parameter, bench, outputs);
      return;
    }
    RiemannianAdam.Options options =
        new RiemannianAdam.Options(
            hyper.number("lr"),
            hyper.number("beta1"),
            hyper.number("beta2"),
            hyper.number("eps"),
            hyper.number("weight_decay"),
            hyper.flag("amsgrad"),
            hyper.flag("exact_exponential_map"));
    long length = parameter.value().shape()[1];
    try (RiemannianAdam adam =
        new RiemannianAdam(bench.backend(), options, manifold, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        adam.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("m", bench.floats(adam.momentum(0)));
        repeat(outputs, "v", adam.secondMoment(0), length);
        if (options.amsgrad()) {
          repeat(outputs, "vmax", adam.largestSecondMoment(0), length);
        }
      }
    }
  }

  private static void adagrad(
      GoldenCase golden, Manifold manifold, Parameter parameter, Workbench bench, Outputs outputs) {
    RiemannianAdaGrad.Options options =
        new RiemannianAdaGrad.Options(golden.hyper().number("lr"), golden.hyper().number("eps"));
    try (RiemannianAdaGrad step =
        new RiemannianAdaGrad(bench.backend(), options, manifold, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        step.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("acc", step.sums(0));
      }
    }
  }

  /** The vectors repeat a row's number along the row. */
  private static void repeat(Outputs outputs, String name, double[] rows, long length) {
    for (double row : rows) {
      for (long i = 0; i < length; i++) {
        outputs.add(name, row);
      }
    }
  }
}
