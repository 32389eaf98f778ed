package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Engine;
import org.fettle.internal.Primitive;

/**
 * SAMO: sharpness-aware multi-task learning whose perturbation mixes the gradient of the mean loss
 * with a zeroth-order estimate of the task's.
 *
 * <pre>
 * h = (1 - beta) * g + beta * (|g| / |z|) * z     per tensor; z left out where it is 0
 * plain: rho / (|h| + 1e-12) * h ;  adaptive: rho / (| |p| h | + 1e-12) * p^2 h     norms over all tensors
 * </pre>
 *
 * <p>Tensors of one task only take their own gradient, with beta 0 and a call of their own. The
 * base gradient is then taken at p plus the perturbation; bring p back from a copy. Source:
 * OptMN-Lab/SAMO.
 *
 * @param rho length of the perturbation, finite and at least 0; default 0.05
 * @param beta share of the task's estimate, in [0, 1]; default 0.1
 * @param adaptive whether it is measured relative to the parameters; default false
 */
public record Samo(double rho, double beta, boolean adaptive) {
  private static final double EPS = 1e-12;

  /** Checks the hyperparameters. */
  public Samo {
    Range.nonNegative("rho", rho);
    Range.check("beta", beta, beta >= 0 && beta <= 1, "in [0, 1]");
  }

  /** The defaults. */
  public Samo() {
    this(0.05, 0.1, false);
  }

  /**
   * The perturbation of one task.
   *
   * @param parameters the shared parameters
   * @param gradients of the mean loss
   * @param estimates zeroth-order gradients of the task
   * @param outputs receive the perturbation
   * @return the factor rho / (norm + 1e-12)
   */
  public double perturbation(
      Backend backend,
      List<Tensor> parameters,
      List<Tensor> gradients,
      List<Tensor> estimates,
      List<Tensor> outputs) {
    int count = parameters.size();
    sameSize("gradients", gradients, count);
    sameSize("estimates", estimates, count);
    sameSize("outputs", outputs, count);
    CallChecks checks = Access.checks(backend);
    List<Batch.Item> norms = new ArrayList<>();
    List<Batch.Item> sums = new ArrayList<>();
    List<Batch.Item> results = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Tensor p = parameters.get(i);
      checks
          .reads("parameter " + i, p)
          .readsLike("gradient " + i, gradients.get(i), p)
          .readsLike("estimate " + i, estimates.get(i), p)
          .writesLike("output " + i, outputs.get(i), p);
      norms.add(Batch.Item.of(Primitive.SQUARE_SUM, gradients.get(i)));
      norms.add(Batch.Item.of(Primitive.SQUARE_SUM, estimates.get(i)));
      sums.add(Batch.Item.of(Primitive.SAMO_SUM, p, gradients.get(i), estimates.get(i)));
      results.add(
          Batch.Item.of(
              Primitive.SAMO_PERTURBATION, p, gradients.get(i), estimates.get(i), outputs.get(i)));
    }
    checks.done();
    Engine engine = Access.engine(backend);
    double[] squares = Kernels.sums(engine, norms);
    try (BatchRunner sum = engine.open(new Batch(sums));
        BatchRunner result = engine.open(new Batch(results))) {
      for (int i = 0; i < count; i++) {
        double ratio = Math.sqrt(squares[2 * i]) / Math.sqrt(squares[2 * i + 1]);
        double share = squares[2 * i + 1] == 0.0 ? 0.0 : beta * ratio;
        for (BatchRunner runner : List.of(sum, result)) {
          runner.factor(i, 0, 1.0 - beta);
          runner.factor(i, 1, share);
          runner.factor(i, 2, adaptive ? 1 : 0);
        }
      }
      sum.run();
      double factor = rho / (Math.sqrt(StepObject.total(sum, count, 0)) + EPS);
      for (int i = 0; i < count; i++) {
        result.factor(i, 3, factor);
      }
      result.run();
      return factor;
    }
  }

  private static void sameSize(String name, List<Tensor> tensors, int expected) {
    if (tensors.size() != expected) {
      throw new IllegalArgumentException(
          tensors.size() + " " + name + ": expected " + expected + ", as many as parameters");
    }
  }
}
