package org.fettle.internal;

/**
 * The sine and cosine of a double with an exact reduction of its argument: twin of {@code
 * native/src/core/sine.h}, which states the domain and the error.
 */
public final class Sine {
  private static final double FAST_LIMIT = 0x1p30;
  private static final long[] TWO_OVER_PI = {
    0L,
    0xA2F9836E4E441529L,
    0xFC2757D1F534DDC0L,
    0xDB6295993C439041L,
    0xFE5163ABDEBBC561L,
    0xB7246E3A424DD2E0L,
    0x06492EEA09D1921CL,
    0xFE1DEB1CB129A73EL,
    0xE88235F52EBB4484L
  };

  private Sine() {}

  /** Writes sine and cosine of x, each rounded to float, to places {@code at} of the arrays. */
  public static void both(double x, float[] sine, float[] cosine, int at) {
    double magnitude = Math.abs(x);
    if (magnitude < FAST_LIMIT) {
      // Adding and taking off 1.5 * 2^52 rounds to an integer, whose last bits stand in the sum's.
      double shift = 6755399441055744.0;
      double sum = Math.fma(x, 0x1.45f306dc9c883p-1, shift);
      double k = sum - shift;
      double r = Math.fma(-k, 0x1.921fb54442d18p0, x);
      r = Math.fma(-k, 0x1.1a62633145c07p-54, r);
      r = Math.fma(-k, -0x1.f1976b7ed8fbcp-110, r);
      reduced(r, Double.doubleToRawLongBits(sum), sine, cosine, at);
    } else if (magnitude < 0x1p256) {
      large(x, sine, cosine, at);
    } else {
      sine[at] = Float.NaN;
      cosine[at] = Float.NaN;
    }
  }

  private static void reduced(double r, long quadrant, float[] sine, float[] cosine, int at) {
    double z = r * r;
    double s = 1.0 / 1307674368000.0;
    s = Math.fma(s, -z, 1.0 / 6227020800.0);
    s = Math.fma(s, -z, 1.0 / 39916800.0);
    s = Math.fma(s, -z, 1.0 / 362880.0);
    s = Math.fma(s, -z, 1.0 / 5040.0);
    s = Math.fma(s, -z, 1.0 / 120.0);
    s = Math.fma(s, -z, 1.0 / 6.0);
    s = Math.fma(r * z, -s, r);
    double c = 1.0 / 20922789888000.0;
    c = Math.fma(c, -z, 1.0 / 87178291200.0);
    c = Math.fma(c, -z, 1.0 / 479001600.0);
    c = Math.fma(c, -z, 1.0 / 3628800.0);
    c = Math.fma(c, -z, 1.0 / 40320.0);
    c = Math.fma(c, -z, 1.0 / 720.0);
    c = Math.fma(c, -z, 1.0 / 24.0);
    c = Math.fma(c, -z, 0.5);
    c = Math.fma(c, -z, 1.0);
    boolean swapped = (quadrant & 1) != 0;
    double first = swapped ? c : s;
    double second = swapped ? s : c;
    sine[at] = (float) ((quadrant & 2) != 0 ? -first : first);
    cosine[at] = (float) (((quadrant + 1) & 2) != 0 ? -second : second);
  }

  /** 64 bits of 2/pi from a bit on; the first 64 are zeros before the point. */
  private static long twoOverPi(long bit) {
    int word = (int) (bit >> 6);
    int part = (int) (bit & 63);
    return part == 0
        ? TWO_OVER_PI[word]
        : (TWO_OVER_PI[word] << part) | (TWO_OVER_PI[word + 1] >>> (64 - part));
  }

  /** The upper half of an unsigned product; the method of the JDK came with 18. */
  private static long highProduct(long a, long b) {
    return Math.multiplyHigh(a, b) + ((a >> 63) & b) + ((b >> 63) & a);
  }

  private static void large(double x, float[] sine, float[] cosine, int at) {
    long bits = Double.doubleToRawLongBits(x);
    long exponent = ((bits >> 52) & 0x7FF) - 1023 - 52;
    long integer = (bits & 0x000FFFFFFFFFFFFFL) | 0x0010000000000000L;
    // Bits of 2/pi before this one only add multiples of 4 quadrants.
    long first = exponent + 62;
    long high = twoOverPi(first);
    long middle = twoOverPi(first + 64);
    long low = twoOverPi(first + 128);
    long middleProduct = integer * middle;
    long p1 = middleProduct + highProduct(integer, low);
    long carry = Long.compareUnsigned(p1, middleProduct) < 0 ? 1 : 0;
    long p2 = integer * high + highProduct(integer, middle) + carry;
    long quadrant = (p2 + 0x2000000000000000L) >>> 62;
    long fraction = (p2 << 2) | (p1 >>> 62);
    double rest = (double) ((p1 << 2) >>> 11) * 0x1p-117;
    double r = ((double) fraction * 0x1p-64 + rest) * 0x1.921fb54442d18p0;
    reduced(bits < 0 ? -r : r, bits < 0 ? -quadrant : quadrant, sine, cosine, at);
  }
}
