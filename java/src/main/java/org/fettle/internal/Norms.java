package org.fettle.internal;

/** Norms over several tensors, from what was summed for each. */
public final class Norms {
  private Norms() {}

  /** The sum by one halving tree; uses the values up. */
  public static double sum(double[] values) {
    return Reduction.tree(values, 0, values.length);
  }

  /** The largest value; NaN comes out. */
  public static double largest(double[] values) {
    double largest = 0.0;
    for (double value : values) {
      largest = Math.max(largest, value);
    }
    return largest;
  }

  /** min(1, maxNorm / (norm + 1e-6)); an infinite norm gives 0, a NaN gives NaN. */
  public static double clipFactor(double norm, double maxNorm) {
    return JavaTensor.clipFactor(norm, maxNorm);
  }
}
