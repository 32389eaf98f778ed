package org.fettle.replay;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Gradients;
import org.fettle.Hyper;
import org.fettle.NormLoss;
import org.fettle.StableMax;
import org.fettle.Tensor;
import org.fettle.WeightCompander;
import org.fettle.rules.AdEMAMix;

/** Methods that are neither rules nor perturbations: transforms, losses, schedules. */
final class PrimitiveReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "clip-pixel",
        "perpgrad",
        "norm-loss",
        "weight-compander",
        "stablemax",
        "ademamix-schedule");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "clip-pixel" -> clipPixel(golden, bench, outputs);
      case "perpgrad" -> perpGrad(golden, bench, outputs);
      case "norm-loss" -> normLoss(golden, bench, outputs);
      case "weight-compander" -> weightCompander(golden, bench, outputs);
      case "stablemax" -> stableMax(golden, bench, outputs);
      default -> ademamixSchedule(golden, outputs);
    }
  }

  private static void clipPixel(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor gradient = tensor(golden, bench, "grad");
    String kind = golden.hyper().word("kind");
    Gradients.PixelClip clip =
        switch (kind) {
          case "hard" -> Gradients.PixelClip.HARD;
          case "soft" -> Gradients.PixelClip.SOFT;
          default ->
              throw new IllegalArgumentException("kind is " + kind + ": expected hard or soft");
        };
    Gradients.on(bench.backend())
        .clipByPixel(golden.hyper().number("clip_value"), clip, List.of(gradient));
    outputs.add("out", bench.floats(gradient));
  }

  private static void perpGrad(GoldenCase golden, Workbench bench, Outputs outputs) {
    double eps = golden.hyper().number("eps");
    if (eps != 1e-30) {
      throw new IllegalArgumentException("eps is " + eps + ": it is always 1e-30");
    }
    Tensor weight = tensor(golden, bench, "w");
    Tensor out = bench.tensor(DType.F32, weight.shape());
    Gradients.on(bench.backend())
        .perpendicular(List.of(weight), List.of(tensor(golden, bench, "grad")), List.of(out));
    outputs.add("out", bench.floats(out));
  }

  private static void normLoss(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor weight = tensor(golden, bench, "w");
    Tensor gradient = bench.tensor(DType.F32, weight.shape());
    NormLoss loss = new NormLoss(golden.hyper().number("lambda"));
    outputs.add("loss", loss.gradient(bench.backend(), weight, gradient));
    outputs.add("grad", bench.floats(gradient));
  }

  private static void weightCompander(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Backend backend = bench.backend();
    WeightCompander compander = new WeightCompander(hyper.number("a"), hyper.number("b"));
    Tensor v = tensor(golden, bench, "v");
    Tensor weight = bench.tensor(DType.F32, v.shape());
    compander.forward(backend, v, weight);
    outputs.add("w", bench.floats(weight));
    Tensor gradient = bench.tensor(DType.F32, v.shape());
    WeightCompander.ConstantGradients constants =
        compander.backward(backend, v, tensor(golden, bench, "grad_w"), gradient);
    outputs.add("grad_v", bench.floats(gradient));
    outputs.add("grad_a", constants.a());
    outputs.add("grad_b", constants.b());
  }

  private static void stableMax(GoldenCase golden, Workbench bench, Outputs outputs) {
    Backend backend = bench.backend();
    Tensor logits = tensor(golden, bench, "logits");
    long[] labels =
        Arrays.stream(golden.array("labels").doubles()).mapToLong(Math::round).toArray();
    Tensor out = bench.tensor(DType.F32, logits.shape());
    StableMax.logProbabilities(backend, logits, out);
    outputs.add("logprob", bench.floats(out));
    outputs.add("loss", StableMax.crossEntropy(backend, logits, labels, out));
    outputs.add("grad", bench.floats(out));
  }

  private static void ademamixSchedule(GoldenCase golden, Outputs outputs) {
    Hyper hyper = golden.hyper();
    double start = hyper.number("alpha_start");
    double end = hyper.number("alpha_end");
    long warmup = (long) hyper.number("warmup");
    // The rule's own ramp goes from 0 to 1; any other start is a mixture by it.
    AdEMAMix rule =
        new AdEMAMix()
            .withAlpha(1)
            .withBeta1(hyper.number("beta_start"))
            .withBeta3(hyper.number("beta_end"))
            .withAlphaWarmup(warmup)
            .withBeta3Warmup(warmup);
    for (double step : golden.array("step").doubles()) {
      double share = rule.alphaAt((long) step);
      outputs.add("alpha", (1 - share) * start + share * end);
      outputs.add("beta3", rule.beta3At((long) step));
    }
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return bench.tensor(golden.array(name).floats(), golden.array(name).shape());
  }
}
