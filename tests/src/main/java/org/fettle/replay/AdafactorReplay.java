package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Parameter;
import org.fettle.steps.Adafactor;
import org.fettle.steps.AdafactorOptions;

/** Adafactor, factored and not. */
final class AdafactorReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("adafactor");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    AdafactorOptions options = AdafactorOptions.fromHyper(golden.hyper());
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    List<String> states =
        golden.outputs().stream().filter(List.of("row", "col", "v", "m")::contains).toList();
    try (Adafactor step = new Adafactor(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        step.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("lr_t", step.lr(0));
        for (String state : states) {
          outputs.add(state, bench.floats(step.state(0, state)));
        }
      }
    }
  }
}
