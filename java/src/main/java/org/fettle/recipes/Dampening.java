package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * Oscillation dampening (arXiv:2203.11086): a loss that pulls weights to the centre of their level.
 *
 * @param low the smallest integer
 * @param high the largest integer
 * @param aggregation of the squares
 */
public record Dampening(int low, int high, Aggregation aggregation) {
  /** Checks the integers. */
  public Dampening {
    Range.check("low", low, low < high && low >= -(1 << 20), "-2^20 to below high, " + high);
    Range.check("high", high, high <= 1 << 20, "<= 2^20");
  }

  /** How squares become a loss. */
  public enum Aggregation {
    /** Their sum. */
    SUM,
    /** Their mean. */
    MEAN,
    /** Summed over the first axis, the mean of the rest: the authors' default. */
    KERNEL_MEAN
  }

  /**
   * The loss and its gradient in one pass.
   *
   * @param backend what carries it out
   * @param weight F32
   * @param scale of the quantizer; &gt; 0
   * @param factor multiplies loss and gradient
   * @param gradient receives the gradient; may be the weight
   * @return the loss times factor
   */
  public double gradient(
      Backend backend, Tensor weight, double scale, double factor, Tensor gradient) {
    Range.check("scale", scale, scale > 0 && scale < Float.MAX_VALUE, "finite and > 0");
    Range.finite("factor", factor);
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, weight)
            .maps("weight", weight, "gradient", gradient, DType.F32)
            .done();
    double count =
        switch (aggregation) {
          case SUM -> 1.0;
          case MEAN -> weight.elements();
          case KERNEL_MEAN ->
              weight.rank() == 0
                  ? 1.0
                  : (double) weight.elements() / Math.max(1, weight.shape()[0]);
        };
    if (weight.elements() == 0) {
      return 0.0;
    }
    double s = (float) scale;
    double[] numbers = {low, high, s, 2.0 * factor / count, s * low, s * high};
    return factor
        / count
        * RowCall.whole(engine, weight)
            .sums(EstimatorKernels.DAMPENING, 1, numbers, weight, gradient)[0];
  }
}
