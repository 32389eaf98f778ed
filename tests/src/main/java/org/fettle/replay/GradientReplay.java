package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.GradientClip;
import org.fettle.Gradients;
import org.fettle.Hyper;
import org.fettle.NonFinite;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.rules.Sgd;

/**
 * What a step does to gradients before its rule sees them. Plain SGD of length 1 takes it, exactly
 * and with the other sign, into parameters that start at -0. A step limits Euclidean norms only;
 * the other norms are those of {@link Gradients}.
 */
final class GradientReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("unscale", "clip-value", "clip-tensor-norm", "clip-global-norm");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    if (golden.method().equals("clip-global-norm") && hyper.number("norm_type") != 2) {
      clipByOtherNorm(golden, bench, outputs);
      return;
    }
    List<Tensor> values = new ArrayList<>();
    List<Parameter> parameters = new ArrayList<>();
    for (String input : golden.inputs()) {
      Values gradient = golden.array(input);
      float[] start = new float[gradient.length()];
      Arrays.fill(start, -0f);
      values.add(bench.tensor(start, gradient.shape()));
      parameters.add(
          Parameter.of(
              values.get(values.size() - 1), bench.tensor(gradient.floats(), gradient.shape())));
    }
    PlanBuilder builder =
        Plan.builder().group(new Sgd().withLr(1), parameters).backend(bench.backend());
    Step step = new Step();
    switch (golden.method()) {
      case "unscale" -> step.lossScale(hyper.number("scale"));
      case "clip-value" -> builder.clip(GradientClip.byValue(hyper.number("clip_value")));
      case "clip-tensor-norm" -> builder.clip(GradientClip.byTensorNorm(maxNorm(hyper)));
      default -> builder.clip(GradientClip.byGlobalNorm(maxNorm(hyper)));
    }
    if (golden.outputs().contains("found_inf")) {
      try (Plan plan = builder.nonFinite(NonFinite.SKIP).build()) {
        plan.step(step);
        outputs.add("found_inf", plan.lastStepApplied() ? 0 : 1);
      }
      for (Tensor value : values) {
        float[] start = new float[Math.toIntExact(value.elements())];
        Arrays.fill(start, -0f);
        bench.put(value, start);
      }
    }
    try (Plan plan = builder.nonFinite(NonFinite.PASS).build()) {
      plan.step(step);
      if (golden.outputs().contains("norm")) {
        outputs.add("norm", plan.gradientNorm());
      }
    }
    for (int i = 0; i < values.size(); i++) {
      float[] negated = bench.floats(values.get(i));
      for (int k = 0; k < negated.length; k++) {
        negated[k] = -negated[k];
      }
      // grad becomes out, grad1 becomes out1.
      outputs.add(golden.inputs().get(i).replace("grad", "out"), negated);
    }
  }

  private static void clipByOtherNorm(GoldenCase golden, Workbench bench, Outputs outputs) {
    double type = golden.hyper().number("norm_type");
    if (type != 1 && type != Double.POSITIVE_INFINITY) {
      throw new IllegalArgumentException("norm_type is " + type + ": expected 1, 2 or inf");
    }
    Gradients.Norm norm = type == 1 ? Gradients.Norm.ONE : Gradients.Norm.INFINITY;
    List<Tensor> gradients = new ArrayList<>();
    for (String input : golden.inputs()) {
      Values gradient = golden.array(input);
      gradients.add(bench.tensor(gradient.floats(), gradient.shape()));
    }
    outputs.add(
        "norm",
        Gradients.on(bench.backend()).clipByGlobalNorm(maxNorm(golden.hyper()), norm, gradients));
    for (int i = 0; i < gradients.size(); i++) {
      outputs.add(golden.inputs().get(i).replace("grad", "out"), bench.floats(gradients.get(i)));
    }
  }

  private static double maxNorm(Hyper hyper) {
    double eps = hyper.number("eps");
    if (eps != 1e-6) {
      throw new IllegalArgumentException("eps is " + eps + ": it is always 1e-6");
    }
    return hyper.number("max_norm");
  }
}
