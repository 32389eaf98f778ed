package org.fettle;

/**
 * The arithmetic that every backend does with the same bits: the Java twin of {@code
 * native/src/core/numeric.h}.
 *
 * <p>{@link Math#fma} goes through BigDecimal on a CPU without the instruction; there an exact
 * emulation serves.
 */
public final class Arithmetic {
  private static final boolean HARDWARE_FMA = probe();

  private Arithmetic() {}

  /** a * b + c, rounded once. */
  public static float fma(float a, float b, float c) {
    return HARDWARE_FMA ? Math.fma(a, b, c) : emulatedFma(a, b, c);
  }

  /** The square root, correctly rounded. */
  public static float root(float x) {
    return (float) Math.sqrt(x);
  }

  /** The nearest bf16 value. */
  public static float toBf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    int rounded = bits + 0x7FFF + ((bits >>> 16) & 1);
    return Float.intBitsToFloat(Float.isNaN(x) ? 0x7FC00000 : rounded & 0xFFFF0000);
  }

  /** The larger of the two; a NaN in x or y comes out. */
  public static float larger(float x, float y) {
    return x > y ? x : (Float.isNaN(y) ? y : (Float.isNaN(x) ? x : y));
  }

  /** x limited to [-limit, limit]; NaN stays NaN. */
  public static float clamp(float x, float limit) {
    return x > limit ? limit : (x < -limit ? -limit : x);
  }

  /** -1, 0 or 1; sign(0) is 0 whatever its sign, and NaN stays NaN. */
  public static float sign(float x) {
    return x > 0f ? 1f : (x < 0f ? -1f : (Float.isNaN(x) ? x : 0f));
  }

  /** keep * average + take * x. */
  public static float movingAverage(float average, float x, float keep, float take) {
    return fma(keep, average, take * x);
  }

  /** g[i] + weightDecay * p[i], in place; g itself where there is no decay. */
  public static void addCoupledDecay(float[] g, float[] p, float weightDecay, int n) {
    if (weightDecay != 0f) {
      for (int i = 0; i < n; i++) {
        g[i] = fma(weightDecay, p[i], g[i]);
      }
    }
  }

  /**
   * The power of two that a vector of that norm is multiplied by before it is divided by the norm:
   * of a norm this small, 1 / norm is no float. 1 for every other norm.
   */
  public static double liftOf(double norm) {
    return norm < 0x1p-90 ? 0x1p90 : 1.0;
  }

  /** base to an integer power, by squaring: the same few products as in C++ and CUDA. */
  public static double power(double base, long exponent) {
    double result = 1.0;
    double square = base;
    for (long rest = exponent; rest > 0; rest >>= 1) {
      if ((rest & 1) != 0) {
        result *= square;
      }
      square *= square;
    }
    return result;
  }

  /** Whether this CPU has the fma instruction and the JVM uses it. */
  public static boolean hardwareFma() {
    return HARDWARE_FMA;
  }

  /**
   * The exact fma without the instruction: the product is exact in double, the sum is rounded to
   * odd, and rounding that to float is then the one rounding that was asked for.
   */
  static float emulatedFma(float a, float b, float c) {
    double product = (double) a * b;
    double addend = c;
    double sum = product + addend;
    if (Double.isNaN(sum) || Double.isInfinite(sum)) {
      return (float) sum;
    }
    double back = sum - product;
    double error = (product - (sum - back)) + (addend - back);
    if (error != 0.0) {
      long bits = Double.doubleToRawLongBits(sum);
      if ((bits & 1) == 0) {
        bits += (error > 0) == (sum > 0) ? 1 : -1;
        sum = Double.longBitsToDouble(bits);
      }
    }
    return (float) sum;
  }

  private static boolean probe() {
    String forced = System.getProperty("fettle.java.fma");
    if (forced != null) {
      return Boolean.parseBoolean(forced);
    }
    // With the instruction a call takes tens of nanoseconds even when interpreted; through
    // BigDecimal it takes thousands.
    long best = Long.MAX_VALUE;
    float value = 1.1f;
    for (int round = 0; round < 5; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < 200; i++) {
        value = Math.fma(value, 0.9f, 0.1f);
      }
      best = Math.min(best, System.nanoTime() - start);
    }
    return best < 200 * 500 && value > 0;
  }
}
