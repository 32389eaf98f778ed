package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.steps.ScheduleFree;

/** Schedule-Free rules: y is the parameter, x what the switch to evaluation makes of it. */
final class ScheduleFreeReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("schedule_free_sgd", "schedule_free_adamw", "schedule_free_radam");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    Rule rule = Rules.of(golden.method(), golden.hyper());
    Values start = golden.array("param0");
    Tensor value = bench.tensor(start.floats(), start.shape());
    Tensor gradient = bench.tensor(new float[start.length()], start.shape());
    try (Plan plan =
            Plan.builder()
                .group(rule, List.of(Parameter.of(value, gradient)))
                .backend(bench.backend())
                .build();
        ScheduleFree modes = new ScheduleFree(plan)) {
      Step step = new Step();
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(gradient, golden.array("grad").floats(t));
        modes.step(step);
        float[] y = bench.floats(value);
        outputs.add("y", y);
        modes.evaluate();
        outputs.add("x", bench.floats(value));
        modes.train();
        // The way back rounds, which the vectors do not have.
        bench.put(value, y);
        for (String state : rule.states()) {
          outputs.add(state, bench.floats(plan.state(0, state)));
        }
        for (String scalar : rule.scalars()) {
          outputs.add(scalar, plan.scalar(0, scalar));
        }
      }
    }
  }
}
