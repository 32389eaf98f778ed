package org.fettle.internal.kernels;

import org.fettle.Transcendental;

/**
 * Sine, cosine and hyperbolic tangent in double. Twin of {@code
 * native/src/kernels/steps/trigonometry.h}, which states domains and errors.
 */
final class Trigonometry {
  private static final double[] SINE = {
    -1.0 / 1307674368000.0,
    1.0 / 6227020800.0,
    -1.0 / 39916800.0,
    1.0 / 362880.0,
    -1.0 / 5040.0,
    1.0 / 120.0,
    -1.0 / 6.0
  };
  private static final double[] COSINE = {
    1.0 / 20922789888000.0,
    -1.0 / 87178291200.0,
    1.0 / 479001600.0,
    -1.0 / 3628800.0,
    1.0 / 40320.0,
    -1.0 / 720.0,
    1.0 / 24.0,
    -0.5
  };

  private Trigonometry() {}

  static double sine(double x) {
    return turnedSine(x, 0);
  }

  static double cosine(double x) {
    return turnedSine(x, 1);
  }

  /** tanh(x) for x &gt;= 0. */
  static double hyperbolicTangent(double x) {
    if (x < 0.01) {
      double q = x * x;
      double sum = -17.0 / 315.0;
      sum = Math.fma(sum, q, 2.0 / 15.0);
      sum = Math.fma(sum, q, -1.0 / 3.0);
      return Math.fma(sum * q, x, x);
    }
    double e = Transcendental.exp(-2.0 * x);
    return (1.0 - e) / (1.0 + e);
  }

  /** sin(x + turns * pi / 2). */
  private static double turnedSine(double x, long turns) {
    if (!(x < 1e9 && x > -1e9)) {
      return x * 0.0;
    }
    double shift = 6755399441055744.0;
    double k = (x * 0.6366197723675814 + shift) - shift;
    double r = Math.fma(-k, 0x1.921fb54400000p+0, x);
    r = Math.fma(-k, 0x1.0b4611a600000p-34, r);
    r = Math.fma(-k, 0x1.3198a2e037073p-69, r);
    long quarter = ((long) k + turns) & 3;
    double value = (quarter & 1) != 0 ? series(COSINE, r) : series(SINE, r);
    return (quarter & 2) != 0 ? -value : value;
  }

  private static double series(double[] coefficients, double r) {
    double q = r * r;
    double sum = coefficients[0];
    for (int i = 1; i < coefficients.length; i++) {
      sum = Math.fma(sum, q, coefficients[i]);
    }
    return coefficients == SINE ? Math.fma(sum * q, r, r) : Math.fma(sum, q, 1.0);
  }
}
