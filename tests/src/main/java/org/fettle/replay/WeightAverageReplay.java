package org.fettle.replay;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.averages.ForcedWeightNorm;
import org.fettle.averages.HalfLife;
import org.fettle.averages.Lookahead;
import org.fettle.averages.MovingAverage;
import org.fettle.averages.PowerProfile;
import org.fettle.averages.StochasticWeightAverage;
import org.fettle.averages.SwitchEma;
import org.fettle.rules.Sgd;

/** Weight averages that stand alone. */
final class WeightAverageReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "ema_halflife", "switch_ema", "power_ema", "swa", "lookahead", "forced_weight_norm");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "ema_halflife" -> halfLife(golden, bench, outputs);
      case "switch_ema" -> switchEma(golden, bench, outputs);
      case "power_ema" -> power(golden, bench, outputs);
      case "swa" -> swa(golden, bench, outputs);
      case "lookahead" -> lookahead(golden, bench, outputs);
      default -> forcedNorm(golden, bench, outputs);
    }
  }

  private static void halfLife(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    HalfLife rule =
        new HalfLife(
            hyper.number("halflife_images"),
            hyper.number("rampup_ratio", Double.POSITIVE_INFINITY));
    double batch = hyper.number("batch_size");
    double seen = hyper.number("start_images");
    Tensor weight = tensor(golden, bench, "w0");
    Tensor average = tensor(golden, bench, "w0");
    for (int i = 0; i < golden.steps(); i++) {
      seen += batch;
      bench.put(weight, golden.array("w").floats(i));
      MovingAverage.move(bench.backend(), rule.factor(batch, seen), weight, average);
      outputs.add("ema", bench.floats(average));
    }
  }

  private static void power(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    double batch = hyper.number("batch_size");
    double seen = hyper.number("start_images");
    List<PowerProfile> profiles = new ArrayList<>();
    List<Tensor> averages = new ArrayList<>();
    for (double deviation : hyper.numbers("stds")) {
      PowerProfile profile = new PowerProfile(deviation);
      profiles.add(profile);
      averages.add(tensor(golden, bench, "w0"));
      outputs.add("gamma", profile.gamma());
    }
    Tensor weight = tensor(golden, bench, "w0");
    double[] keeps = new double[profiles.size()];
    for (int i = 0; i < golden.steps(); i++) {
      seen += batch;
      for (int k = 0; k < keeps.length; k++) {
        keeps[k] = profiles.get(k).factor(batch, seen);
      }
      outputs.add("beta", keeps);
      bench.put(weight, golden.array("w").floats(i));
      MovingAverage.move(bench.backend(), keeps, weight, averages);
      averages.forEach(average -> outputs.add("ema", bench.floats(average)));
    }
  }

  private static void switchEma(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    String word = hyper.word("variant");
    if (!word.equals("detection") && !word.equals("openmixup")) {
      throw new IllegalArgumentException("variant is " + word + ": not known");
    }
    SwitchEma rule =
        new SwitchEma(
            (long) hyper.number("switch_interval"),
            (long) hyper.number("switch_start"),
            word.equals("detection")
                ? SwitchEma.Variant.DETECTION
                : SwitchEma.Variant.CLASSIFICATION);
    Backend backend = bench.backend();
    double keep = hyper.number("momentum");
    Tensor weight = tensor(golden, bench, "w0");
    Tensor average = tensor(golden, bench, "w0");
    int iterations = (int) hyper.number("iters_per_epoch");
    double[] deltas = golden.array("delta").doubles();
    int at = 0;
    for (int epoch = 0; epoch < (int) hyper.number("epochs"); epoch++) {
      boolean switches = rule.switchesAt(epoch);
      outputs.add("switched", switches ? 1 : 0);
      if (switches) {
        MovingAverage.copy(backend, average, weight);
      }
      for (int i = 0; i < iterations; i++) {
        float[] values = bench.floats(weight);
        for (int k = 0; k < values.length; k++) {
          values[k] += (float) deltas[at++];
        }
        bench.put(weight, values);
        MovingAverage.move(backend, keep, weight, average);
      }
      // Evaluation swaps both and swaps them back, which must change nothing.
      float[] live = bench.floats(weight);
      MovingAverage.swap(backend, weight, average);
      outputs.add("ema", bench.floats(weight));
      MovingAverage.swap(backend, weight, average);
      outputs.add("w", bench.floats(weight));
      if (!Arrays.equals(live, bench.floats(weight))) {
        throw new IllegalArgumentException("swapping twice changed the weights");
      }
    }
  }

  private static void swa(GoldenCase golden, Workbench bench, Outputs outputs) {
    long every = (long) golden.hyper().number("every");
    long start = (long) golden.hyper().number("start");
    Tensor weight = bench.tensor(DType.F32, golden.array("w").stepShape());
    Tensor average = bench.tensor(DType.F32, weight.shape());
    StochasticWeightAverage swa =
        new StochasticWeightAverage(bench.backend(), List.of(weight), List.of(average));
    for (int i = 0; i < golden.steps(); i++) {
      bench.put(weight, golden.array("w").floats(i));
      if (i >= start && (i - start) % every == 0) {
        swa.capture();
      }
      outputs.add("n", (double) swa.captured());
      outputs.add("swa", bench.floats(average));
    }
  }

  private static void lookahead(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    if (!hyper.word("inner").equals("SGD")) {
      throw new IllegalArgumentException("inner is " + hyper.word("inner") + ": not known");
    }
    String option = hyper.word("pullback_momentum");
    if (!option.equals("none") && !option.equals("reset")) {
      throw new IllegalArgumentException("pullback_momentum is " + option + ": not known");
    }
    Sgd inner = new Sgd().withLr(hyper.number("lr")).withMomentum(hyper.number("momentum"));
    Tensor weight = tensor(golden, bench, "param0");
    Tensor slow = bench.tensor(DType.F32, weight.shape());
    Tensor gradient = bench.tensor(DType.F32, weight.shape());
    try (Plan plan =
        Plan.builder()
            .group(inner, Parameter.of(weight, gradient))
            .backend(bench.backend())
            .build()) {
      Lookahead lookahead =
          new Lookahead(
              bench.backend(),
              hyper.number("alpha"),
              (long) hyper.number("k"),
              List.of(weight),
              List.of(slow));
      if (option.equals("reset") && !inner.states().isEmpty()) {
        lookahead.resetting(List.of(plan.state(0, "momentum")));
      }
      for (int i = 0; i < golden.steps(); i++) {
        bench.put(gradient, golden.array("grad").floats(i));
        plan.step();
        lookahead.afterStep();
        outputs.add("param", bench.floats(weight));
        outputs.add("slow", bench.floats(slow));
      }
    }
  }

  private static void forcedNorm(GoldenCase golden, Workbench bench, Outputs outputs) {
    ForcedWeightNorm norm = new ForcedWeightNorm(golden.hyper().number("eps"));
    double gain = golden.hyper().number("gain");
    Tensor weight = tensor(golden, bench, "W");
    Tensor gradient = tensor(golden, bench, "gy");
    Tensor out = bench.tensor(DType.F32, weight.shape());
    norm.force(bench.backend(), weight);
    outputs.add("forced", bench.floats(weight));
    norm.effective(bench.backend(), gain, weight, out);
    outputs.add("effective", bench.floats(out));
    norm.gradient(bench.backend(), gain, weight, gradient, out);
    outputs.add("grad_weight", bench.floats(out));
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return bench.tensor(golden.array(name).floats(), golden.array(name).shape());
  }
}
