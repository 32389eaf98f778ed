package org.fettle.replay;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.steps.Saf;
import org.fettle.steps.Samo;
import org.fettle.steps.UpGrad;
import org.fettle.steps.WeightConditioning;
import org.fettle.steps.WeightNorm;

/** Losses, perturbations, joined gradients and reparameterisations. */
final class ObjectiveReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("samo_perturb", "saf_loss", "upgrad", "weight_norm", "weight_conditioning");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "samo_perturb" -> samo(golden, bench, outputs);
      case "saf_loss" -> saf(golden, bench, outputs);
      case "upgrad" -> upgrad(golden, bench, outputs);
      case "weight_norm" -> weightNorm(golden, bench, outputs);
      default -> conditioning(golden, bench, outputs);
    }
  }

  private static Tensor tensor(Workbench bench, Values values) {
    return bench.tensor(values.floats(), values.shape());
  }

  private static Tensor like(Workbench bench, Values values) {
    return bench.tensor(new float[values.length()], values.shape());
  }

  private static void samo(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Samo samo = new Samo(hyper.number("rho"), hyper.number("beta"), hyper.flag("adaptive"));
    List<int[]> parts = Parts.of(golden);
    List<Tensor> parameters = cut(golden.array("param").floats(), parts, bench);
    List<Tensor> gradients = cut(golden.array("grad_mean").floats(), parts, bench);
    for (int task = 0; task < (int) hyper.number("tasks"); task++) {
      List<Tensor> estimates = cut(golden.array("zo_grad").floats(task), parts, bench);
      List<Tensor> results = cut(golden.array("param").floats(), parts, bench);
      outputs.add(
          "scale", samo.perturbation(bench.backend(), parameters, gradients, estimates, results));
      for (Tensor result : results) {
        outputs.add("epsilon", bench.floats(result));
      }
    }
  }

  private static List<Tensor> cut(float[] all, List<int[]> parts, Workbench bench) {
    List<Tensor> tensors = new ArrayList<>();
    for (int[] part : parts) {
      float[] values = Parts.cut(all, part);
      tensors.add(bench.tensor(values, values.length));
    }
    return tensors;
  }

  private static void saf(GoldenCase golden, Workbench bench, Outputs outputs) {
    Saf saf = new Saf(golden.hyper().number("reinforce"), golden.hyper().number("temperature"));
    Tensor gradient = like(bench, golden.array("logits"));
    double loss =
        saf.gradient(
            bench.backend(),
            tensor(bench, golden.array("logits")),
            tensor(bench, golden.array("past_logits")),
            gradient);
    outputs.add("loss", loss);
    outputs.add("grad_logits", bench.floats(gradient));
  }

  private static void upgrad(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    UpGrad upgrad =
        new UpGrad(hyper.number("norm_eps"), hyper.number("reg_eps"), hyper.numbers("pref_vector"));
    int m = (int) hyper.number("m");
    Values j = golden.array("J");
    Tensor direction = bench.tensor(new float[j.length() / m], j.length() / m);
    double[] projected = upgrad.direction(bench.backend(), tensor(bench, j), direction);
    outputs.add("projected", projected);
    double[] weights = new double[m];
    for (int i = 0; i < m * m; i++) {
      weights[i % m] += projected[i];
    }
    outputs.add("weights", weights);
    outputs.add("direction", bench.floats(direction));
  }

  private static void weightNorm(GoldenCase golden, Workbench bench, Outputs outputs) {
    int axis = (int) golden.hyper().number("dim");
    Tensor v = tensor(bench, golden.array("v"));
    Tensor g = tensor(bench, golden.array("g"));
    Tensor w = like(bench, golden.array("v"));
    Tensor dg = like(bench, golden.array("g"));
    WeightNorm.forward(bench.backend(), axis, v, g, w);
    outputs.add("w", bench.floats(w));
    WeightNorm.backward(bench.backend(), axis, v, g, tensor(bench, golden.array("gw")), w, dg);
    outputs.add("grad_v", bench.floats(w));
    outputs.add("grad_g", bench.floats(dg));
  }

  private static void conditioning(GoldenCase golden, Workbench bench, Outputs outputs) {
    Tensor weight = tensor(bench, golden.array("W"));
    Tensor output = like(bench, golden.array("W"));
    WeightConditioning.forward(bench.backend(), weight, output);
    outputs.add("effective", bench.floats(output));
    outputs.add(
        "cond",
        WeightConditioning.condition(bench.backend(), weight),
        WeightConditioning.effectiveCondition(bench.backend(), weight));
    WeightConditioning.backward(
        bench.backend(), false, weight, tensor(bench, golden.array("gy")), output);
    outputs.add("grad_weight", bench.floats(output));
  }
}
