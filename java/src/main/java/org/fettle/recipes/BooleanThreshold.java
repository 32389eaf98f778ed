package org.fettle.recipes;

import org.fettle.Range;

/**
 * The projection of a neuron onto a Boolean threshold function: the nearest weights, inputs and
 * output with {@code y (w . x) >= sqrt(degree / sigma)} and y of 1 or -1 (arXiv:2602.17493). In
 * double, on the host.
 *
 * @param sigma of the margin; &gt; 0, 3 in the authors' examples
 */
public record BooleanThreshold(double sigma) {
  private static final int STEPS = 200;

  /** Checks sigma. */
  public BooleanThreshold {
    Range.positive("sigma", sigma);
  }

  /** The margin of a neuron of that many edges. */
  public double margin(int degree) {
    return Math.sqrt(degree / sigma);
  }

  /**
   * Projects in place; of two equally near outputs -1.
   *
   * @param w weights
   * @param x inputs, as many
   * @param y the output to start from
   * @return the output, 1 or -1
   */
  public double project(double[] w, double[] x, double y) {
    if (w.length != x.length) {
      throw new IllegalArgumentException(
          x.length + " inputs: expected " + w.length + ", as many as weights");
    }
    double p = 0.0;
    double q = 0.0;
    for (int i = 0; i < w.length; i++) {
      p += w[i] * x[i];
      q += w[i] * w[i] + x[i] * x[i];
    }
    double margin = margin(w.length);
    if (y * p > 0.0) {
      double sign = y > 0.0 ? 1.0 : -1.0;
      move(w, x, shift(p, q, sign, margin));
      return sign;
    }
    double down = shift(p, q, -1.0, margin);
    double up = shift(p, q, 1.0, margin);
    boolean isUp = distance(w, x, up, y, 1.0) < distance(w, x, down, y, -1.0);
    move(w, x, isUp ? up : down);
    return isUp ? 1.0 : -1.0;
  }

  private static double distance(double[] w, double[] x, double u, double y, double sign) {
    double sum = (y - sign) * (y - sign);
    for (int i = 0; i < w.length; i++) {
      double a = (w[i] + u * x[i]) / (1.0 - u * u) - w[i];
      double b = (x[i] + u * w[i]) / (1.0 - u * u) - x[i];
      sum += a * a + b * b;
    }
    return sum;
  }

  private static void move(double[] w, double[] x, double u) {
    for (int i = 0; i < w.length && u != 0.0; i++) {
      double a = (w[i] + u * x[i]) / (1.0 - u * u);
      x[i] = (x[i] + u * w[i]) / (1.0 - u * u);
      w[i] = a;
    }
  }

  /**
   * The root u in (-1, 1) of {@code (p (1 + u^2) + q u) / (1 - u^2)^2 = sign * margin}, which
   * increases in u; 0 where the margin is kept. Newton between brackets, a fixed number of steps.
   */
  private static double shift(double p, double q, double sign, double margin) {
    double c = sign * margin;
    if (sign * p >= margin) {
      return 0.0;
    }
    return bracketed(p, q, c);
  }

  private static double bracketed(double p, double q, double c) {
    double low = -1.0;
    double high = 1.0;
    double u = 0.0;
    for (int i = 0; i < STEPS; i++) {
      double d = 1.0 - u * u;
      double value = (p * (1.0 + u * u) + q * u) / (d * d) - c;
      if (value == 0.0) {
        return u;
      }
      if (value > 0.0) {
        high = u;
      } else {
        low = u;
      }
      double slope =
          (2.0 * p * u + q) / (d * d) + 4.0 * u * (p * (1.0 + u * u) + q * u) / (d * d * d);
      double next = u - value / slope;
      if (!(next > low && next < high)) {
        next = 0.5 * (low + high);
      }
      if (next == u) {
        return u;
      }
      u = next;
    }
    return u;
  }
}
