package org.fettle.replay;

import java.util.Set;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Tensor;
import org.fettle.pruning.AdmmPruning;
import org.fettle.pruning.LayerPattern;
import org.fettle.pruning.NetTrim;
import org.fettle.pruning.NonconvexAcceleratedGradient;
import org.fettle.pruning.OptimalBrainSurgeon;
import org.fettle.pruning.Progress;
import org.fettle.pruning.SparseGpt;
import org.fettle.pruning.Wanda;

/** The layer-wise solvers, whose outputs are doubles. */
final class LayerSolverReplay implements MethodReplay {
  @Override
  public Set<String> methods() {
    return Set.of("sparsegpt", "wanda", "obs", "admm-prune", "net-trim", "ag-nonconvex");
  }

  @Override
  public void replay(GoldenCase golden, Workbench bench, Outputs outputs) {
    switch (golden.method()) {
      case "sparsegpt" -> sparseGpt(golden, bench, outputs);
      case "wanda" -> wanda(golden, bench, outputs);
      case "obs" -> surgeon(golden, bench, outputs);
      case "admm-prune" -> admm(golden, bench, outputs);
      case "net-trim" -> netTrim(golden, bench, outputs);
      default -> acceleratedGradient(golden, outputs);
    }
  }

  private static LayerPattern pattern(Hyper hyper) {
    int group = (int) hyper.number("prune_m");
    int pruned = (int) hyper.number("prune_n");
    double sparsity = hyper.number("sparsity");
    return group > 0 && pruned > 0
        ? LayerPattern.groups(pruned, group)
        : LayerPattern.unstructured(sparsity);
  }

  private static void sparseGpt(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    Tensor weight = bench.tensor(golden.array("w").floats(), golden.array("w").shape());
    Tensor pruned = bench.tensor(DType.F64, weight.shape());
    Tensor mask = bench.tensor(DType.BIT, weight.shape());
    SparseGpt.Options options =
        new SparseGpt.Options(
            pattern(hyper), (int) hyper.number("block_size"), hyper.number("percdamp"));
    new SparseGpt(bench.backend(), options)
        .prune(weight, gram(golden, bench, 2), pruned, mask, Progress.NONE);
    outputs.add("mask", bench.bits(mask));
    outputs.add("w_out", bench.doubles(pruned));
  }

  /** factor * X'X of the calibration rows. */
  private static Tensor gram(GoldenCase golden, Workbench bench, double factor) {
    Values x = golden.array("x");
    int columns = (int) x.shape()[1];
    double[] gram = new double[columns * columns];
    for (int row = 0; row < x.shape()[0]; row++) {
      for (int i = 0; i < columns; i++) {
        for (int j = 0; j < columns; j++) {
          gram[i * columns + j] += factor * x.get(row * columns + i) * x.get(row * columns + j);
        }
      }
    }
    Tensor tensor = bench.tensor(DType.F64, columns, columns);
    bench.put(tensor, gram);
    return tensor;
  }

  private static void wanda(GoldenCase golden, Workbench bench, Outputs outputs) {
    Values x = golden.array("x");
    int columns = (int) x.shape()[2];
    double[] squares = new double[columns];
    for (int i = 0; i < x.length(); i++) {
      squares[i % columns] += x.get(i) * x.get(i);
    }
    for (int j = 0; j < columns; j++) {
      squares[j] /= x.shape()[0];
    }
    Tensor columnSquares = bench.tensor(DType.F64, columns);
    bench.put(columnSquares, squares);
    Tensor weight = bench.tensor(golden.array("w").floats(), golden.array("w").shape());
    Tensor score = bench.tensor(DType.F64, weight.shape());
    Tensor mask = bench.tensor(DType.BIT, weight.shape());
    new Wanda(bench.backend(), pattern(golden.hyper())).choose(weight, columnSquares, score, mask);
    outputs.add("score", bench.doubles(score));
    outputs.add("mask", bench.bits(mask));
  }

  private static void surgeon(GoldenCase golden, Workbench bench, Outputs outputs) {
    Values w = golden.array("w");
    int n = w.length();
    Tensor weight = bench.tensor(DType.F64, n);
    bench.put(weight, w.doubles());
    Values g = golden.array("grads");
    Tensor gradients = bench.tensor(g.floats(), g.shape());
    Tensor inverse = bench.tensor(DType.F64, n, n);
    Tensor score = bench.tensor(DType.F64, n);
    int index =
        new OptimalBrainSurgeon(bench.backend(), golden.hyper().number("damping"))
            .prune(weight, gradients, inverse, score, Progress.NONE);
    outputs.add("index", index);
    outputs.add("inverse", bench.doubles(inverse));
    outputs.add("score", bench.doubles(score));
    outputs.add("w_out", bench.doubles(weight));
  }

  private static void admm(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    boolean perOutput = hyper.flag("per_out");
    AdmmPruning.Scope scope =
        switch (hyper.word("pattern")) {
          case "2:4" -> AdmmPruning.Scope.TWO_OF_FOUR;
          case "unstructured" -> perOutput ? AdmmPruning.Scope.OUTPUT : AdmmPruning.Scope.LAYER;
          default ->
              throw new IllegalArgumentException(
                  "pattern is " + hyper.word("pattern") + ": expected 2:4 or unstructured");
        };
    AdmmPruning.Options options =
        new AdmmPruning.Options(
            scope,
            hyper.number("sparsity"),
            hyper.number("rho"),
            (int) hyper.number("iters"),
            (int) hyper.number("iterative_prune"),
            hyper.number("percdamp"));
    Tensor weight = bench.tensor(golden.array("w").floats(), golden.array("w").shape());
    Tensor pruned = bench.tensor(DType.F64, weight.shape());
    Tensor mask = bench.tensor(DType.BIT, weight.shape());
    new AdmmPruning(bench.backend(), options)
        .prune(weight, gram(golden, bench, 1), pruned, mask, Progress.NONE);
    outputs.add("mask", bench.bits(mask));
    outputs.add("w_out", bench.doubles(pruned));
  }

  private static void netTrim(GoldenCase golden, Workbench bench, Outputs outputs) {
    Hyper hyper = golden.hyper();
    boolean rectified = hyper.flag("relu");
    NetTrim.Options options =
        new NetTrim.Options(
            hyper.number("eps"), hyper.number("rho"), (int) hyper.number("iterations"));
    Values x = golden.array("X");
    Values y = golden.array("Y");
    Tensor bound = null;
    if (rectified) {
      bound = bench.tensor(golden.array("V").floats(), golden.array("V").shape());
    }
    Tensor weight = bench.tensor(DType.F64, x.shape()[0], y.shape()[0]);
    new NetTrim(bench.backend(), options)
        .solve(
            bench.tensor(x.floats(), x.shape()),
            bench.tensor(y.floats(), y.shape()),
            bound,
            weight,
            Progress.NONE);
    outputs.add("W", bench.doubles(weight));
  }

  /** Least squares, whose gradient is X'(X md - y) / samples. */
  private static void acceleratedGradient(GoldenCase golden, Outputs outputs) {
    Hyper hyper = golden.hyper();
    double a = hyper.number("a");
    double gamma = hyper.number("gamma");
    NonconvexAcceleratedGradient.Penalty penalty =
        switch (hyper.word("penalty")) {
          case "SCAD" -> NonconvexAcceleratedGradient.Penalty.scad(a);
          case "MCP" -> NonconvexAcceleratedGradient.Penalty.mcp(gamma);
          default ->
              throw new IllegalArgumentException(
                  "penalty is " + hyper.word("penalty") + ": expected SCAD or MCP");
        };
    LeastSquares loss = new LeastSquares(golden.array("X"), golden.array("y").doubles());
    NonconvexAcceleratedGradient solver =
        new NonconvexAcceleratedGradient(
            penalty, hyper.number("lambda"), loss.lipschitz(), golden.array("beta0").doubles());
    for (int t = 0; t < golden.steps(); t++) {
      double[] middle = solver.middle();
      solver.step(loss.gradient(middle));
      outputs.add("alpha", solver.alpha());
      outputs.add("beta", solver.main());
      outputs.add("beta_ag", solver.aggregate());
      outputs.add("beta_md", middle);
    }
  }
}
