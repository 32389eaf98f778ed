package org.fettle.replay;

import java.util.List;
import java.util.Set;
import org.fettle.Backend;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.steps.KFacDense;
import org.fettle.steps.Muon;
import org.fettle.steps.MuonOptions;
import org.fettle.steps.NewtonSchulz;
import org.fettle.steps.Shampoo;
import org.fettle.steps.Soap;
import org.fettle.steps.SoapOptions;
import org.fettle.steps.SteepestDescent;
import org.fettle.steps.SteepestDescent.Norm;
import org.fettle.steps.TrAct;

/** Steps with matrix products. */
final class MatrixStepReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of(
        "muon", "newton_schulz", "norm_descent", "shampoo", "soap", "kfac_dense", "tract");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "muon" -> muon(golden, bench, outputs);
      case "newton_schulz" -> newtonSchulz(golden, bench, outputs);
      case "norm_descent" -> normDescent(golden, bench, outputs);
      case "shampoo" -> shampoo(golden, bench, outputs);
      case "soap" -> soap(golden, bench, outputs);
      case "kfac_dense" -> kfac(golden, bench, outputs);
      default -> tract(golden, bench, outputs);
    }
  }

  private static NewtonSchulz.Options newtonSchulz(Hyper hyper, String coefficients, String eps) {
    double[] abc = hyper.numbers(coefficients);
    return new NewtonSchulz.Options(
        abc[0], abc[1], abc[2], hyper.number(eps), (int) hyper.number("ns_steps"));
  }

  private static void muon(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    MuonOptions options =
        new MuonOptions(
            hyper.number("lr"),
            hyper.number("momentum"),
            hyper.flag("nesterov"),
            hyper.number("weight_decay"),
            newtonSchulz(hyper, "ns_coefficients", "ns_eps"));
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (Muon muon = new Muon(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        muon.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("momentum", bench.floats(muon.momentum(0)));
        float[] update = bench.floats(muon.direction(0));
        for (int i = 0; i < update.length; i++) {
          update[i] *= (float) muon.shapeFactor(0);
        }
        outputs.add("update", update);
      }
    }
  }

  private static void newtonSchulz(GoldenCase golden, Workbench bench, Outputs outputs) {
    Values g = golden.array("G");
    Tensor matrix = bench.tensor(g.floats(), g.shape());
    Tensor output = bench.tensor(new float[g.length()], g.shape());
    NewtonSchulz.Options options = newtonSchulz(golden.hyper(), "coefficients", "eps");
    try (NewtonSchulz iteration = new NewtonSchulz(bench.backend(), options, matrix, output)) {
      iteration.run();
    }
    outputs.add("ns", bench.floats(output));
    double[] norms = SteepestDescent.polar(bench.backend(), matrix, output);
    outputs.add("polar", bench.floats(output));
    outputs.add("spectral_norm", norms[0]);
    outputs.add("nuclear_norm", norms[1]);
  }

  private static void normDescent(GoldenCase golden, Workbench bench, Outputs outputs) {
    Values w = golden.array("W");
    Values g = golden.array("G");
    Tensor weight = bench.tensor(w.floats(), w.shape());
    Tensor gradient = bench.tensor(g.floats(), g.shape());
    double lr = golden.hyper().number("lr");
    Backend backend = bench.backend();
    record Case(String output, Norm norm, boolean dual, String dualNorm) {}
    for (Case one :
        List.of(
            new Case("sign_step", Norm.MAXIMUM, false, "sign_dual_norm"),
            new Case("sign_steepest_step", Norm.MAXIMUM, true, null),
            new Case("spectral_step", Norm.SPECTRAL, false, "nuclear"),
            new Case("spectral_steepest_step", Norm.SPECTRAL, true, null),
            new Case("rms_rms_step", Norm.RMS_TO_RMS, false, null),
            new Case("col_rms_step", Norm.COLUMNS, false, null))) {
      bench.put(weight, w.floats());
      double dualNorm = SteepestDescent.step(backend, one.norm, lr, one.dual, weight, gradient);
      outputs.add(one.output, bench.floats(weight));
      if (one.dualNorm != null) {
        outputs.add(one.dualNorm, dualNorm);
      }
    }
  }

  private static void shampoo(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Shampoo.Options options =
        new Shampoo.Options(
            hyper.number("lr"),
            hyper.number("beta"),
            hyper.number("eps"),
            hyper.number("exponent"),
            hyper.number("weight_decay"),
            1);
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (Shampoo shampoo = new Shampoo(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        shampoo.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("update", bench.floats(shampoo.direction(0)));
        outputs.add("L", shampoo.left(0));
        outputs.add("R", shampoo.right(0));
      }
    }
  }

  private static void soap(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    SoapOptions options =
        new SoapOptions(
            hyper.number("lr"),
            hyper.number("beta1"),
            hyper.number("beta2"),
            hyper.number("shampoo_beta"),
            hyper.number("eps"),
            hyper.number("weight_decay"),
            (long) hyper.number("precondition_frequency"),
            hyper.flag("correct_bias"),
            hyper.flag("normalize_grads"),
            new SoapOptions().maxDimension());
    Parameter parameter = LossStepReplay.parameter(golden.array("param0"), bench);
    try (Soap soap = new Soap(bench.backend(), options, List.of(parameter))) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(parameter.gradient(), golden.array("grad").floats(t));
        soap.step();
        outputs.add("param", bench.floats(parameter.value()));
        outputs.add("m_orig", bench.floats(soap.momentum(0)));
        outputs.add("L", soap.left(0));
        outputs.add("R", soap.right(0));
      }
    }
  }

  private static void kfac(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    KFacDense.Options options =
        new KFacDense.Options(
            hyper.number("lr"),
            hyper.number("damping"),
            hyper.number("factor_decay"),
            hyper.flag("pi_split"),
            hyper.flag("bias_column"));
    hyper.number("batch");
    Values start = golden.array("param0");
    Tensor weight = bench.tensor(start.floats(), start.shape());
    Values act = golden.array("act");
    Values gout = golden.array("gout");
    Tensor a = bench.tensor(act.floats(0), act.stepShape());
    Tensor d = bench.tensor(gout.floats(0), gout.stepShape());
    try (KFacDense kfac = new KFacDense(bench.backend(), options, weight)) {
      for (int t = 0; t < golden.steps(); t++) {
        bench.put(a, act.floats(t));
        bench.put(d, gout.floats(t));
        kfac.step(a, d);
        outputs.add("param", bench.floats(weight));
        outputs.add("A", kfac.inputFactor());
        outputs.add("S", kfac.outputFactor());
      }
    }
  }

  private static void tract(GoldenCase golden, Workbench bench, Outputs outputs) {
    golden.hyper().number("batch");
    Values x = golden.array("x");
    Values gz = golden.array("gz");
    Values w = golden.array("W");
    Tensor output = bench.tensor(new float[w.length()], w.shape());
    TrAct.weightGradient(
        bench.backend(),
        golden.hyper().number("lambda"),
        bench.tensor(x.floats(), x.shape()),
        bench.tensor(gz.floats(), gz.shape()),
        output);
    outputs.add("grad_weight", bench.floats(output));
  }
}
