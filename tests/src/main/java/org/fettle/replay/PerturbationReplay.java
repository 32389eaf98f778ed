package org.fettle.replay;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Perturbation;
import org.fettle.Tensor;

/** The first half of two-phase steps; restoring must give the old parameters back exactly. */
final class PerturbationReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("sam", "asam", "awp");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    if (golden.method().equals("awp")) {
      awp(golden, bench, outputs);
      return;
    }
    Tensor first = tensor(golden, bench, "w1");
    Tensor second = tensor(golden, bench, "w2");
    // The vectors' first tensor is a weight and the second a bias.
    List<Parameter> parameters =
        List.of(
            Parameter.of(first, tensor(golden, bench, "grad1")).named("weight"),
            Parameter.of(second, tensor(golden, bench, "grad2")).named("bias"));
    try (Perturbation perturbation =
        byGradient(golden.method(), golden.hyper(), bench.backend(), parameters)) {
      double norm = perturbation.ascend();
      if (golden.outputs().contains("norm")) {
        outputs.add("norm", norm);
      }
      outputs.add("perturbed1", bench.floats(first));
      outputs.add("perturbed2", bench.floats(second));
      perturbation.restore();
    }
    checkRestored(golden, "w1", bench.floats(first));
    checkRestored(golden, "w2", bench.floats(second));
  }

  private static Perturbation byGradient(
      String method, Hyper hyper, Backend backend, List<Parameter> parameters) {
    double rho = hyper.number("rho");
    if (method.equals("sam")) {
      checkEps(hyper, 1e-12);
      return Perturbation.sam(backend, rho, hyper.flag("adaptive"), parameters);
    }
    checkEps(hyper, 1e-16);
    return Perturbation.asam(
        backend,
        rho,
        hyper.number("eta"),
        parameter -> parameter.name().contains("weight"),
        parameters);
  }

  private static void awp(GoldenCase golden, Workbench bench, Outputs outputs) {
    checkEps(golden.hyper(), 1e-20);
    Tensor weight = tensor(golden, bench, "w");
    Tensor proxy = tensor(golden, bench, "proxy");
    Tensor direction = bench.tensor(DType.F32, weight.shape());
    Perturbation.awpDirection(bench.backend(), weight, proxy, direction);
    outputs.add("diff", bench.floats(direction));
    double gamma = golden.hyper().number("gamma");
    try (Perturbation perturbation =
        Perturbation.awp(bench.backend(), gamma, List.of(weight), List.of(proxy))) {
      perturbation.ascend();
      outputs.add("perturbed", bench.floats(weight));
      perturbation.restore();
    }
    checkRestored(golden, "w", bench.floats(weight));
  }

  private static Tensor tensor(GoldenCase golden, Workbench bench, String name) {
    return bench.tensor(golden.array(name).floats(), golden.array(name).shape());
  }

  private static void checkEps(Hyper hyper, double expected) {
    double eps = hyper.number("eps");
    if (eps != expected) {
      throw new IllegalArgumentException("eps is " + eps + ": it is always " + expected);
    }
  }

  private static void checkRestored(GoldenCase golden, String name, float[] values) {
    if (!Arrays.equals(golden.array(name).floats(), values)) {
      throw new IllegalArgumentException(name + " was not restored exactly");
    }
  }
}
