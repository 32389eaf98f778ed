package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.DoubleSupplier;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.steps.PolyakHeavyBall;
import org.fettle.steps.PolyakMomentum;
import org.fettle.steps.Prodigy;
import org.fettle.steps.ProdigyOptions;
import org.fettle.steps.Smb;
import org.fettle.steps.SmbOptions;

/** Steps that find their own size. */
final class LossStepReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("prodigy", "polyak_smag", "polyak_heavyball", "smb", "smb_independent");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "prodigy" -> prodigy(golden, bench, outputs);
      case "polyak_smag" -> momentum(golden, bench, outputs);
      case "polyak_heavyball" -> heavyBall(golden, bench, outputs);
      default -> smb(golden, bench, outputs);
    }
  }

  private static void prodigy(GoldenCase golden, Workbench bench, Outputs outputs) {
    int count = (int) golden.hyper().number("tensors");
    ProdigyOptions options = ProdigyOptions.fromHyper(golden.hyper());
    List<Parameter> parameters = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      parameters.add(parameter(golden.array("param0_" + i), bench));
    }
    try (Prodigy prodigy = new Prodigy(bench.backend(), options, parameters)) {
      for (int t = 0; t < golden.steps(); t++) {
        for (int i = 0; i < count; i++) {
          bench.put(parameters.get(i).gradient(), golden.array("grad_" + i).floats(t));
        }
        prodigy.step();
        outputs.add("d", prodigy.d());
        outputs.add("d_max", prodigy.dMax());
        outputs.add("d_hat", prodigy.dHat());
        outputs.add("d_numerator", prodigy.numerator());
        outputs.add("d_denom", prodigy.denominator());
        for (int i = 0; i < count; i++) {
          outputs.add("param_" + i, bench.floats(parameters.get(i).value()));
          for (String state : List.of("m", "v", "s")) {
            if (state.equals("m") && options.beta1() == 0) {
              outputs.absent("m_" + i, "with a beta1 of 0 the gradient stands for m");
            } else {
              outputs.add(state + "_" + i, bench.floats(prodigy.state(i, state)));
            }
          }
        }
      }
    }
  }

  private static void momentum(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Parameter parameter = parameter(golden.array("param0"), bench);
    PolyakMomentum.Options options =
        new PolyakMomentum.Options(
            hyper.number("beta"),
            hyper.number("c"),
            hyper.number("eta_max"),
            hyper.number("f_star"),
            hyper.number("weight_decay", 0));
    try (PolyakMomentum step = new PolyakMomentum(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        outputs.add("eta", step.step(golden.array("loss").get(t)));
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("d", bench.floats(step.direction(0)));
      }
    }
  }

  private static void heavyBall(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Parameter parameter = parameter(golden.array("param0"), bench);
    PolyakHeavyBall.Options options =
        new PolyakHeavyBall.Options(
            hyper.number("beta"),
            hyper.number("c"),
            hyper.number("eta_max"),
            hyper.number("f_star"));
    try (PolyakHeavyBall step = new PolyakHeavyBall(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        outputs.add("eta", step.step(golden.array("loss").get(t)));
        outputs.add("param", bench.floats(parameter.value()));
      }
    }
  }

  private static void smb(GoldenCase golden, Workbench bench, Outputs outputs) {
    List<int[]> parts = Parts.of(golden);
    List<Parameter> parameters = new ArrayList<>();
    for (int[] part : parts) {
      float[] start = Parts.cut(golden.array("param0").floats(), part);
      parameters.add(
          Parameter.of(
              bench.tensor(start, start.length),
              bench.tensor(new float[start.length], start.length)));
    }
    try (Smb smb = new Smb(bench.backend(), SmbOptions.fromHyper(golden.hyper()), parameters)) {
      for (int t = 0; t < golden.steps(); t++) {
        Closure closure = new Closure(golden, bench, parts, parameters, t);
        outputs.add("model", smb.step(closure) ? 1 : 0);
        outputs.add("lr_t", smb.lr());
        for (Parameter parameter : parameters) {
          outputs.add("param", bench.floats(parameter.value()));
        }
      }
    }
  }

  /** Answers the stored losses and gradients of one step, in turn. */
  private static final class Closure implements DoubleSupplier {
    private final GoldenCase golden;
    private final Workbench bench;
    private final List<int[]> parts;
    private final List<Parameter> parameters;
    private final int step;
    private boolean trial;

    Closure(
        GoldenCase golden,
        Workbench bench,
        List<int[]> parts,
        List<Parameter> parameters,
        int step) {
      this.golden = golden;
      this.bench = bench;
      this.parts = parts;
      this.parameters = parameters;
      this.step = step;
    }

    @Override
    public double getAsDouble() {
      String ending = trial ? "_trial" : "";
      trial = true;
      float[] gradient = golden.array("grad" + ending).floats(step);
      for (int i = 0; i < parts.size(); i++) {
        bench.put(parameters.get(i).gradient(), Parts.cut(gradient, parts.get(i)));
      }
      return golden.array("loss" + ending).get(step);
    }
  }

  static Parameter parameter(Values start, Workbench bench) {
    return Parameter.of(
        bench.tensor(start.floats(), start.shape()),
        bench.tensor(new float[start.length()], start.shape()));
  }
}
