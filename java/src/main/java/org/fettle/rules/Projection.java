package org.fettle.rules;

import org.fettle.Rule.StepContext;

/**
 * What AdamP and SGDP share: taking the component along the weight out of the update of
 * scale-invariant weights. Twin of {@code rules/projection.h}. The sums of a row are &lt;g,p&gt;,
 * &lt;g,g&gt;, &lt;p,p&gt;, &lt;p,d&gt;.
 */
final class Projection {
  private Projection() {}

  static double cosine(double[] sums, double eps) {
    double g = Math.sqrt(sums[1]);
    double p = Math.sqrt(sums[2]);
    double product = sums[0];
    return (product < 0.0 ? -product : product) / ((g > eps ? g : eps) * (p > eps ? p : eps));
  }

  /** What the weight is multiplied by and taken off. */
  static double share(double[] sums, double eps) {
    double norm = Math.sqrt(sums[2]) + eps;
    return sums[3] / (norm * norm);
  }

  /** 2: every row is projected by its own sums, 1: all by the tensor's, 0: none. */
  static int levelOf(StepContext step, double[] sums, double delta, double eps) {
    if (step.rank() < 2) {
      return 0;
    }
    if (step.largestScore() < delta / Math.sqrt((double) step.rowLength())) {
      return 2;
    }
    return cosine(sums, eps) < delta / Math.sqrt((double) step.elements()) ? 1 : 0;
  }

  /** The terms of the four sums but for the direction, which stands in b[3] already. */
  static void terms(int n, float[] p, float[] g, float[][] a, float[][] b) {
    System.arraycopy(g, 0, a[0], 0, n);
    System.arraycopy(p, 0, b[0], 0, n);
    System.arraycopy(g, 0, a[1], 0, n);
    System.arraycopy(g, 0, b[1], 0, n);
    System.arraycopy(p, 0, a[2], 0, n);
    System.arraycopy(p, 0, b[2], 0, n);
    System.arraycopy(p, 0, a[3], 0, n);
  }
}
