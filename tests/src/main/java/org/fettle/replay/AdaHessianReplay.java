package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.Tensor;
import org.fettle.steps.HessianDiagonal;

/** AdaHessian: the Hessian product is averaged into the plan's state before every step. */
final class AdaHessianReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("adahessian", "adahessian_block");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    boolean blocks = golden.method().equals("adahessian_block");
    long blockSize = blocks ? (long) golden.hyper().number("block_size") : 1;
    Rule rule = Rules.of(golden.method(), golden.hyper());
    Values start = golden.array("param0");
    Tensor value = bench.tensor(start.floats(), start.shape());
    Tensor gradient = bench.tensor(new float[start.length()], start.shape());
    Tensor product = bench.tensor(new float[start.length()], start.shape());
    long block = blocks ? HessianDiagonal.block(value, blockSize) : HessianDiagonal.window(value);
    try (Plan plan =
        Plan.builder()
            .group(rule, List.of(Parameter.of(value, gradient)))
            .backend(bench.backend())
            .build()) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(gradient, golden.array("grad").floats(t));
        bench.put(product, golden.array("hv").floats(t));
        HessianDiagonal.average(bench.backend(), product, block, plan.state(0, "diag"));
        plan.step();
        outputs.add("param", bench.floats(value));
        for (String state : rule.states()) {
          outputs.add(state, bench.floats(plan.state(0, state)));
        }
      }
    }
  }
}
