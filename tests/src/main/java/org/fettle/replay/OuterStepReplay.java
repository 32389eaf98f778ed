package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.steps.MultiMomentum;
import org.fettle.steps.Nexus;
import org.fettle.steps.ScheduleRefinement;

/** Steps around other steps, and the schedule that follows from a run. */
final class OuterStepReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("multi_momentum", "nexus_inner", "schedule_refinement");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "multi_momentum" -> multiMomentum(golden, bench, outputs);
      case "nexus_inner" -> nexus(golden, bench, outputs);
      default -> refinement(golden, outputs);
    }
  }

  private static void multiMomentum(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    MultiMomentum.Options options =
        new MultiMomentum.Options(hyper.number("lr"), hyper.number("beta"));
    double[] probabilities = golden.array("prob").doubles();
    if (probabilities.length != (int) hyper.number("clusters")) {
      throw new IllegalArgumentException("prob: expected one number per cluster");
    }
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (MultiMomentum step =
        new MultiMomentum(bench.backend(), options, probabilities, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        step.step((int) golden.array("cluster").get(t));
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("direction", bench.floats(step.direction(0)));
      }
    }
  }

  private static void nexus(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    if (hyper.number("eps") != 1e-12) {
      throw new IllegalArgumentException("eps: it is always 1e-12");
    }
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (Nexus nexus = new Nexus(bench.backend(), hyper.number("inner_lr"), List.of(parameter))) {
      for (int t = 0; t < (int) hyper.number("inner_steps"); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        nexus.innerStep();
        outputs.add("path", bench.floats(parameter.value()));
      }
      nexus.finish();
      outputs.add("pseudo_grad", bench.floats(nexus.pseudoGradient(0)));
    }
  }

  private static void refinement(GoldenCase golden, Outputs outputs) {
    Hyper hyper = golden.hyper();
    double[] norms = golden.array("grad_norm").doubles();
    if (norms.length != (int) hyper.number("T")) {
      throw new IllegalArgumentException("grad_norm: expected one number per step");
    }
    ScheduleRefinement refinement = new ScheduleRefinement(norms, hyper.number("weight_exponent"));
    outputs.add("schedule", refinement.published());
    outputs.add("normalised", refinement.normalised());
  }
}
