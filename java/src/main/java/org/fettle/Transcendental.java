package org.fettle;

/**
 * Transcendental functions of our own: polynomials over correctly rounded operations, so that every
 * backend gives the same bits. Twin of {@code native/src/core/math.h}, which states domains and
 * errors.
 */
public final class Transcendental {
  private static final double LN2_HIGH = 0x1.62e42fee00000p-1;
  private static final double LN2_LOW = 0x1.a39ef35793c76p-33;
  // The series are written as fractions: both compilers round each quotient once.
  private static final double[] EXP = {
    1.0 / 6227020800.0,
    1.0 / 479001600.0,
    1.0 / 39916800.0,
    1.0 / 3628800.0,
    1.0 / 362880.0,
    1.0 / 40320.0,
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0
  };
  private static final double[] LOG = {
    1.0 / 23.0,
    1.0 / 21.0,
    1.0 / 19.0,
    1.0 / 17.0,
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0
  };

  private Transcendental() {}

  /** e^x. Overflow gives infinity; below -708 the result is 0. */
  public static double exp(double x) {
    if (Double.isNaN(x)) {
      return x;
    }
    if (x > 709.0) {
      return x * 1e308;
    }
    if (x < -708.0) {
      return 0.0;
    }
    // Adding and taking off 1.5 * 2^52 rounds to an integer.
    double shift = 6755399441055744.0;
    double k = (x * 0x1.71547652b82fep0 + shift) - shift;
    double r = Math.fma(-k, LN2_HIGH, x);
    r = Math.fma(-k, LN2_LOW, r);
    double sum = EXP[0];
    for (int i = 1; i < EXP.length; i++) {
      sum = Math.fma(sum, r, EXP[i]);
    }
    return sum * Double.longBitsToDouble(((long) k + 1023) << 52);
  }

  /** ln(x) for a normal x &gt; 0; NaN for a negative one, -infinity for 0. */
  public static double log(double x) {
    if (!(x > 0.0)) {
      return x == 0.0 ? Double.NEGATIVE_INFINITY : Double.NaN;
    }
    long bits = Double.doubleToRawLongBits(x);
    if (bits >= 0x7FF0000000000000L) {
      return x;
    }
    long exponent = (bits >> 52) - 1023;
    double m = Double.longBitsToDouble((bits & 0x000FFFFFFFFFFFFFL) | 0x3FF0000000000000L);
    if (m > 1.4142135623730951) {
      m *= 0.5;
      exponent += 1;
    }
    // ln(m) = 2 atanh(s), |s| < 0.172.
    double s = (m - 1.0) / (m + 1.0);
    double q = s * s;
    double sum = LOG[0];
    for (int i = 1; i < LOG.length; i++) {
      sum = Math.fma(sum, q, LOG[i]);
    }
    double tail = sum * q * s;
    double k = (double) exponent;
    // The large parts last, so that their rounding is the only one that counts.
    return Math.fma(k, LN2_HIGH, Math.fma(2.0, s, Math.fma(2.0, tail, k * LN2_LOW)));
  }

  /** base^exponent for base &gt; 0; 0^exponent is 0 for a positive exponent. */
  public static double power(double base, double exponent) {
    if (base == 0.0) {
      return exponent > 0.0 ? 0.0 : 1.0;
    }
    return exp(exponent * log(base));
  }

  /** e^x for x &lt;= 0. Below -87 it stays at e^-87, which every user adds to 1. */
  public static float expNegative(float x) {
    float limited = x < -87.0f ? -87.0f : x;
    float shift = 12582912.0f;
    float k = (limited * 1.442695f + shift) - shift;
    float r = Arithmetic.fma(-k, 355.0f / 512.0f, limited);
    r = Arithmetic.fma(-k, -2.1219444e-4f, r);
    float sum = 1.0f / 5040.0f;
    sum = Arithmetic.fma(sum, r, 1.0f / 720.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 120.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 24.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 6.0f);
    sum = Arithmetic.fma(sum, r, 0.5f);
    sum = Arithmetic.fma(sum, r, 1.0f);
    sum = Arithmetic.fma(sum, r, 1.0f);
    return sum * powerOfTwo(k);
  }

  /** The arctangent; the sign of a zero and NaN are kept. */
  public static float arctangent(float x) {
    float t = Math.abs(x);
    float r = t;
    float base = 0.0f;
    float baseLow = 0.0f;
    if (t > 2.4142137f) {
      r = -1.0f / t;
      base = 1.5707964f;
      baseLow = -4.371139e-8f;
    } else if (t > 0.41421357f) {
      r = (t - 1.0f) / (t + 1.0f);
      base = 0.7853982f;
      baseLow = -2.1855694e-8f;
    }
    float z = r * r;
    float sum = 1.0f / 17.0f;
    sum = Arithmetic.fma(sum, z, -1.0f / 15.0f);
    sum = Arithmetic.fma(sum, z, 1.0f / 13.0f);
    sum = Arithmetic.fma(sum, z, -1.0f / 11.0f);
    sum = Arithmetic.fma(sum, z, 1.0f / 9.0f);
    sum = Arithmetic.fma(sum, z, -1.0f / 7.0f);
    sum = Arithmetic.fma(sum, z, 1.0f / 5.0f);
    sum = Arithmetic.fma(sum, z, -1.0f / 3.0f);
    float y = base + (r + Arithmetic.fma(r * z, sum, baseLow));
    return x < 0.0f ? -y : (x > 0.0f ? y : x);
  }

  /** The natural logarithm, denormals included; -infinity for 0, NaN below. */
  public static float logarithm(float x) {
    if (!(x > 0.0f) || x == Float.POSITIVE_INFINITY) {
      return x > 0.0f ? x : (x == 0.0f ? Float.NEGATIVE_INFINITY : Float.NaN);
    }
    boolean denormal = x < Float.MIN_NORMAL;
    int bits = Float.floatToRawIntBits(denormal ? x * 16777216.0f : x);
    // The mantissa lies in [sqrt(1/2), sqrt(2)).
    int exponent = (bits - 0x3F3504F3) >> 23;
    float m = Float.intBitsToFloat(bits - (exponent << 23));
    float k = denormal ? exponent - 24.0f : exponent;
    float f = m - 1.0f;
    float s = f / (f + 2.0f);
    float q = s * s;
    float sum = 2.0f / 11.0f;
    sum = Arithmetic.fma(sum, q, 2.0f / 9.0f);
    sum = Arithmetic.fma(sum, q, 2.0f / 7.0f);
    sum = Arithmetic.fma(sum, q, 2.0f / 5.0f);
    sum = Arithmetic.fma(sum, q, 2.0f / 3.0f);
    float half = 0.5f * f * f;
    float correction = Arithmetic.fma(s, Arithmetic.fma(sum, q, half), k * -2.1219444e-4f);
    return Arithmetic.fma(k, 355.0f / 512.0f, f - (half - correction));
  }

  /**
   * x^k for k in [0, 1] and x = 0 or a square root of a float (2^-75 to 2^64); 0^0 is 1; infinity
   * and NaN stay (k = 0: 1).
   */
  public static float powerBelowOne(float x, float k) {
    if (k == 0f) {
      return 1f;
    }
    if (!(x > 0f) || x == Float.POSITIVE_INFINITY) {
      return x;
    }
    int bits = Float.floatToRawIntBits(x);
    int exponent = (bits - 0x3F3504F3) >> 23;
    float m = Float.intBitsToFloat(bits - (exponent << 23));
    float shift = 12582912.0f;
    float product = k * (float) exponent;
    float low = Arithmetic.fma(k, (float) exponent, -product);
    float n = (product + shift) - shift;
    float r = Arithmetic.fma((product - n) + low, 0.6931472f, k * logarithm(m));
    float sum = 1.0f / 40320.0f;
    sum = Arithmetic.fma(sum, r, 1.0f / 5040.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 720.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 120.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 24.0f);
    sum = Arithmetic.fma(sum, r, 1.0f / 6.0f);
    sum = Arithmetic.fma(sum, r, 0.5f);
    sum = Arithmetic.fma(sum, r, 1.0f);
    sum = Arithmetic.fma(sum, r, 1.0f);
    return sum * powerOfTwo(n);
  }

  /**
   * 2^k for an integral k in [-126, 127]; anything for a NaN, which its user multiplies by another
   * NaN.
   */
  static float powerOfTwo(float k) {
    return Float.intBitsToFloat(((int) k + 127) << 23);
  }
}
