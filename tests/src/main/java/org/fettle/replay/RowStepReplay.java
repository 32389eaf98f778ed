package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.steps.DiLoCo;
import org.fettle.steps.Diff2;
import org.fettle.steps.DpSgd;
import org.fettle.steps.MFac;
import org.fettle.steps.MFacInverse;
import org.fettle.steps.ThermodynamicGradient;

/** Steps that combine rows of gradients: examples, workers, windows. */
final class RowStepReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("dp_sgd", "diff2", "diloco_outer", "mfac_dynamic", "mfac_static", "thermo_ngd");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "dp_sgd" -> dpSgd(golden, bench, outputs);
      case "diff2" -> diff2(golden, bench, outputs);
      case "diloco_outer" -> diloco(golden, bench, outputs);
      case "mfac_dynamic" -> mfac(golden, bench, outputs);
      case "mfac_static" -> mfacStatic(golden, bench, outputs);
      default -> thermo(golden, bench, outputs);
    }
  }

  private static Tensor tensor(Workbench bench, Values values) {
    return bench.tensor(values.floats(), values.shape());
  }

  private static Tensor row(Workbench bench, Values values) {
    return bench.tensor(values.floats(0), values.stepShape());
  }

  private static void dpSgd(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    hyper.number("batch");
    DpSgd.Options options =
        new DpSgd.Options(
            hyper.number("lr"), hyper.number("clip"), hyper.number("noise_multiplier"));
    Tensor parameter = tensor(bench, golden.array("param0"));
    Tensor gradient = row(bench, golden.array("grad"));
    Tensor noise = row(bench, golden.array("noise"));
    try (DpSgd step = new DpSgd(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(gradient, golden.array("grad").floats(t));
        bench.put(noise, golden.array("noise").floats(t));
        step.step(List.of(gradient), List.of(noise));
        outputs.add("param", bench.floats(parameter));
        outputs.add("estimate", bench.floats(step.estimate(0)));
      }
    }
  }

  private static void diff2(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    hyper.number("batch");
    Diff2.Options options =
        new Diff2.Options(
            hyper.number("lr"),
            hyper.number("clip"),
            hyper.number("clip_difference_slope"),
            hyper.number("noise_multiplier"),
            (long) hyper.number("restart_every"));
    Tensor parameter = tensor(bench, golden.array("param0"));
    Tensor gradient = row(bench, golden.array("grad"));
    Tensor before = row(bench, golden.array("grad_prev"));
    Tensor noise = row(bench, golden.array("noise"));
    try (Diff2 step = new Diff2(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(gradient, golden.array("grad").floats(t));
        bench.put(before, golden.array("grad_prev").floats(t));
        bench.put(noise, golden.array("noise").floats(t));
        step.step(List.of(gradient), List.of(before), List.of(noise));
        outputs.add("param", bench.floats(parameter));
        outputs.add("estimate", bench.floats(step.estimate(0)));
      }
    }
  }

  private static void diloco(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    DiLoCo.Options options = new DiLoCo.Options(hyper.number("lr"), hyper.number("momentum"));
    Tensor parameter = tensor(bench, golden.array("param0"));
    Tensor difference = row(bench, golden.array("worker_delta"));
    int workers = (int) hyper.number("workers");
    try (DiLoCo step = new DiLoCo(bench.backend(), options, workers, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(difference, golden.array("worker_delta").floats(t));
        step.step(List.of(difference));
        outputs.add("param", bench.floats(parameter));
        outputs.add("momentum", bench.floats(step.momentum(0)));
      }
    }
  }

  private static void mfac(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    MFac.Options options =
        new MFac.Options(
            hyper.number("lr"),
            hyper.number("momentum"),
            hyper.number("weight_decay"),
            (int) hyper.number("ngrads"),
            hyper.number("damping"),
            hyper.flag("sparse"));
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (MFac step = new MFac(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        step.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("direction", bench.floats(step.direction(0)));
      }
    }
  }

  private static void mfacStatic(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    hyper.number("m");
    Values x = golden.array("x");
    Tensor output = bench.tensor(new float[x.length()], x.shape());
    try (MFacInverse inverse =
        new MFacInverse(
            bench.backend(),
            tensor(bench, golden.array("grads")),
            hyper.number("damping"),
            (long) hyper.number("block_size"))) {
      inverse.multiply(tensor(bench, x), output);
      outputs.add("ihvp", bench.floats(output));
      inverse.diagonal(output);
      outputs.add("diag", bench.floats(output));
    }
  }

  private static void thermo(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    ThermodynamicGradient.Options options =
        new ThermodynamicGradient.Options(
            hyper.number("damping"), hyper.number("dt"), hyper.number("inv_temperature"));
    int every = (int) hyper.number("trace_every");
    Values draws = golden.array("noise");
    Tensor noise = row(bench, draws);
    try (ThermodynamicGradient walk =
        new ThermodynamicGradient(
            bench.backend(),
            options,
            tensor(bench, golden.array("J")),
            tensor(bench, golden.array("grad")))) {
      for (int t = 1; t <= (int) hyper.number("sde_steps"); t++) {
        bench.put(noise, draws.floats(t - 1));
        walk.step(noise);
        if (t % every == 0) {
          outputs.add("trace", bench.floats(walk.state()));
        }
      }
      outputs.add("equilibrium", walk.equilibrium());
    }
  }
}
