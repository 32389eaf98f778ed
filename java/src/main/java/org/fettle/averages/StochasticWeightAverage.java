package org.fettle.averages;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.CallChecks;
import org.fettle.internal.kernels.AverageKernels;

/**
 * Stochastic weight averaging (arXiv:1803.05407, as torch.optim.swa_utils): the first capture
 * copies, later ones move the average by {@code (weight - average) / (captured + 1)}. Statistics of
 * normalisation layers must be formed anew for the average; that is the caller's.
 *
 * <p>Not for use by two threads at once.
 */
public final class StochasticWeightAverage {
  private final Backend backend;
  private final List<Tensor> weights;
  private final List<Tensor> averages;
  private long captured;

  /**
   * An average of weights.
   *
   * @param weights the live weights
   * @param averages of the weights' shapes; what stands there does not matter
   * @throws IllegalArgumentException naming what does not fit
   */
  public StochasticWeightAverage(Backend backend, List<Tensor> weights, List<Tensor> averages) {
    this.backend = backend;
    this.weights = List.copyOf(weights);
    this.averages = List.copyOf(averages);
    pairs(backend, this.weights, this.averages, false);
  }

  /** Takes the weights as they are into the average. */
  public void capture() {
    double[] take = {1.0 / (captured + 1)};
    for (int i = 0; i < weights.size(); i++) {
      MovingAverage.run(
          backend, AverageKernels.DIFFERENCE, take, weights.get(i), averages.subList(i, i + 1));
    }
    captured++;
  }

  /** How often the weights were captured. */
  public long captured() {
    return captured;
  }

  /** Goes on from so many captures, for an average that comes from elsewhere; 0 starts anew. */
  public void setCaptured(long captures) {
    Range.check("captures", captures, captures >= 0, ">= 0");
    captured = captures;
  }

  /** The averages, as they were given. */
  public List<Tensor> averages() {
    return averages;
  }

  static void pairs(
      Backend backend, List<Tensor> weights, List<Tensor> averages, boolean writesWeights) {
    if (weights.size() != averages.size()) {
      throw new IllegalArgumentException(
          averages.size() + " averages: expected " + weights.size() + ", one per weight");
    }
    CallChecks checks = Access.checks(backend);
    for (int i = 0; i < weights.size(); i++) {
      if (writesWeights) {
        checks.writes("weight " + i, weights.get(i));
      } else {
        checks.reads("weight " + i, weights.get(i));
      }
      checks.writesLike("average " + i, averages.get(i), weights.get(i));
    }
    checks.done();
  }
}
