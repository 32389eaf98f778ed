package org.fettle.internal;

/** The order in which partial sums are added, for kernels: by halving. */
public final class Trees {
  private Trees() {}

  /** Adds the first {@code count} sums by halving, in place. */
  public static double sum(double[] sums, int count) {
    return Reduction.tree(sums, 0, count);
  }

  /** Adds {@code count} of the sums, every {@code stride}-th from {@code first} on. */
  public static double sum(double[] sums, int first, int stride, int count) {
    double[] picked = new double[count];
    for (int i = 0; i < count; i++) {
      picked[i] = sums[first + i * stride];
    }
    return Reduction.tree(picked, 0, count);
  }
}
