package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.steps.Dhspg;
import org.fettle.steps.DhspgOptions;

/** DHSPG, every step from the stored weights of the step before. */
final class DhspgReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("dhspg");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Values start = golden.array("w");
    Tensor weight = bench.tensor(start.floats(), start.shape());
    Tensor gradient = bench.tensor(new float[start.length()], start.shape());
    Parameter parameter = Parameter.of(weight, gradient);
    try (Dhspg step = new Dhspg(bench.backend(), options(golden.hyper()), List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        if (t > 0) {
          bench.put(weight, golden.array("weight").floats(t - 1));
        }
        bench.put(gradient, golden.array("grad").floats(t));
        step.step();
        outputs.add("grad_variant", bench.floats(step.direction(0)));
        float[] ours = bench.floats(weight);
        outputs.add("weight", ours);
        outputs.add("group_sparsity", zeroGroups(ours, step.groups()) / (step.groups() + 6e-6));
        for (int group = 0; group < step.groups(); group++) {
          outputs.add("penalised", step.isPenalised(group) ? 1 : 0);
        }
      }
    }
  }

  /** Groups of zeros, those among them that no step has chosen. */
  private static int zeroGroups(float[] weights, int groups) {
    int size = weights.length / groups;
    int zero = 0;
    for (int group = 0; group < groups; group++) {
      boolean all = true;
      for (int i = group * size; i < (group + 1) * size; i++) {
        all = all && weights[i] == 0f;
      }
      zero += all ? 1 : 0;
    }
    return zero;
  }

  private static DhspgOptions options(Hyper hyper) {
    DhspgOptions.Variant variant =
        switch (hyper.word("variant")) {
          case "sgd" -> DhspgOptions.Variant.SGD;
          case "adam" -> DhspgOptions.Variant.ADAM;
          case "adamw" -> DhspgOptions.Variant.ADAMW;
          default ->
              throw new IllegalArgumentException(
                  "variant is " + hyper.word("variant") + ": expected sgd, adam or adamw");
        };
    if (hyper.number("upper_group_sparsity", 1) != 1) {
      throw new IllegalArgumentException("upper_group_sparsity: it is always 1");
    }
    return new DhspgOptions(
        variant,
        hyper.number("lr"),
        hyper.number("momentum", 0),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay"),
        hyper.number("lambda"),
        hyper.number("lambda_amplify"),
        hyper.number("lambda_hat_factor"),
        hyper.number("epsilon"),
        (int) hyper.number("start_pruning_steps"),
        hyper.number("target_group_sparsity"),
        hyper.number("tolerance"),
        (int) hyper.number("group_divisible"));
  }
}
