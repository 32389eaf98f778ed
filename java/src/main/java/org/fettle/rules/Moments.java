package org.fettle.rules;

import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.power;

/** What the rules of Adam's family share. Twin of {@code rules/moments.h}. */
final class Moments {
  private Moments() {}

  /** beta1, 1 - beta1, beta2, 1 - beta2, each rounded once, into c[0] to c[3]. */
  static void coefficients(double beta1, double beta2, float[] c) {
    factors(beta1, beta2, c, 0);
  }

  /** As {@link #coefficients}, from c[at] on. */
  static void factors(double beta1, double beta2, float[] c, int at) {
    c[at] = (float) beta1;
    c[at + 1] = (float) (1.0 - beta1);
    c[at + 2] = (float) beta2;
    c[at + 3] = (float) (1.0 - beta2);
  }

  /** c1 = 1 - beta^t. */
  static double correction(double beta, long step) {
    return 1.0 - power(beta, step);
  }

  /** sqrt(1 - beta^t). */
  static double rootCorrection(double beta, long step) {
    return Math.sqrt(1.0 - power(beta, step));
  }

  /** m = ema(m, g, beta1) and v = ema(v, g * g, beta2). */
  static void update(float[] c, int n, float[] m, float[] v, float[] g) {
    average(m, g, c[0], c[1], n);
    averageOfSquares(v, g, c[2], c[3], n);
  }

  /** average = ema(average, x, keep). */
  static void average(float[] average, float[] x, float keep, float take, int n) {
    for (int i = 0; i < n; i++) {
      average[i] = movingAverage(average[i], x[i], keep, take);
    }
  }

  /** average = ema(average, x * x, keep). */
  static void averageOfSquares(float[] average, float[] x, float keep, float take, int n) {
    for (int i = 0; i < n; i++) {
      average[i] = movingAverage(average[i], x[i] * x[i], keep, take);
    }
  }

  /** p = p * factor, in place. */
  static void scale(float[] p, float factor, int n) {
    for (int i = 0; i < n; i++) {
      p[i] = p[i] * factor;
    }
  }
}
