package org.fettle.replay;

import java.util.Set;
import org.fettle.Average;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.rules.Sgd;

/** Weight averages that ride on a step: the weights are given, the steps have no length. */
final class AverageReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("ema");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Average rule = average(golden.hyper());
    Values weights = golden.array("w");
    Values start = golden.array("w0");
    Tensor value = bench.tensor(start.floats(), start.shape());
    Tensor average = bench.tensor(start.floats(), start.shape());
    Parameter parameter =
        Parameter.of(value, bench.tensor(DType.F32, start.shape())).withAverage(average);
    try (Plan plan =
        Plan.builder()
            .group(new Sgd().withLr(0), parameter)
            .average(rule)
            .backend(bench.backend())
            .build()) {
      double factor = rule.decay();
      for (int i = 0; i < golden.steps(); i++) {
        bench.put(value, weights.floats(i));
        plan.step();
        outputs.add("ema", bench.floats(average));
        long step = plan.stepCount(0);
        factor = rule.movesAt(step) ? rule.factor(step) : factor;
        outputs.add("mom", factor);
      }
    }
  }

  private static Average average(Hyper hyper) {
    String word = hyper.word("warmup");
    Average.Warmup warmup =
        switch (word) {
          case "none" -> Average.Warmup.NONE;
          case "constant" -> Average.Warmup.CONSTANT;
          case "linear" -> Average.Warmup.LINEAR;
          case "exp" -> Average.Warmup.EXPONENTIAL;
          default -> throw new IllegalArgumentException("warmup is " + word + ": not known");
        };
    return new Average(hyper.number("momentum"))
        .withWarmup(warmup, (long) hyper.number("warmup_iters"), hyper.number("warmup_ratio"))
        .withInterval((long) hyper.number("update_interval"));
  }
}
