package org.fettle.internal;

/**
 * The fixed-order double reduction: twin of {@code native/src/cpu/reduce.h} and {@code
 * core/tree.h}. Lane l of a chunk adds elements l, l + 128, ...; the lanes of a chunk and then the
 * chunks are added by halving trees.
 */
public final class Reduction {
  private Reduction() {}

  /** Adds a[i] * b[i], i &lt; n, to the lanes; element 0 belongs to lane 0. */
  public static void accumulate(double[] lanes, float[] a, float[] b, int n) {
    for (int start = 0; start < n; start += PlanSpec.LANES) {
      int width = Math.min(PlanSpec.LANES, n - start);
      for (int l = 0; l < width; l++) {
        // The product of two floats is exact in double.
        lanes[l] += (double) a[start + l] * b[start + l];
      }
    }
  }

  /** The largest of a[0] to a[n - 1] and what was there before; a NaN comes out. */
  public static double largest(double before, float[] a, int n) {
    double largest = before;
    for (int i = 0; i < n && !Double.isNaN(largest); i++) {
      if (a[i] > largest || Float.isNaN(a[i])) {
        largest = a[i];
      }
    }
    return largest;
  }

  /** Partial sums to one: added by a tree, or the largest of them. */
  public static double reduce(boolean maximum, double[] sums, int at, int count) {
    if (!maximum) {
      return tree(sums, at, count);
    }
    double largest = 0.0;
    for (int i = 0; i < count && !Double.isNaN(largest); i++) {
      if (sums[at + i] > largest || Double.isNaN(sums[at + i])) {
        largest = sums[at + i];
      }
    }
    return largest;
  }

  /** Adds {@code count} sums from {@code at} on by halving, in place. */
  public static double tree(double[] sums, int at, int count) {
    if (count <= 0) {
      return 0.0;
    }
    int half = 1;
    while (half < count) {
      half *= 2;
    }
    int left = count;
    for (half /= 2; half > 0; half /= 2) {
      for (int i = 0; i < half && i + half < left; i++) {
        sums[at + i] += sums[at + i + half];
      }
      left = Math.min(left, half);
    }
    return sums[at];
  }
}
