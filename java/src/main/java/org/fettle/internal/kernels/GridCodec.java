package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.MinifloatCodec;

/** How a tile's scale follows from its extremes, and its codes from the scale. */
final class GridCodec {
  private static final int TRAINING = 1;
  private static final int DIVIDING = 2;
  private static final int ASYMMETRIC = 3;
  private static final int CENTRED = 4;
  private static final int VECTORWISE = 5;
  private static final int MINIFLOAT = 6;
  private static final float SURELY_ROUNDED = 0.4999f;

  final boolean twoSided;
  private final long rule;
  private final int bits;
  private final boolean stochastic;
  private final boolean divides;
  private final boolean powerOfTwo;
  private final float epsilon;
  private final float magnitude;
  private final float lowest;
  private final float highest;
  private final float levels;
  private final MinifloatCodec minifloat;
  private final long seed;
  private final int step;
  private final int stream;

  // What scale() found.
  float scale;
  float factor;
  int zero;

  GridCodec(JavaCall call) {
    this(call, true);
  }

  /** The codec of a call; factors of OPTQ's rules are widths of all levels, or scales. */
  GridCodec(JavaCall call, boolean widths) {
    rule = call.integer(4);
    bits = (int) call.integer(5);
    stochastic = call.integer(6) != 0;
    seed = call.integer(7);
    step = (int) call.integer(8);
    stream = (int) call.integer(9);
    powerOfTwo = call.integer(10) != 0;
    epsilon = (float) call.number(0);
    twoSided = rule == ASYMMETRIC || rule == CENTRED;
    divides = twoSided || rule == DIVIDING || (stochastic && rule != MINIFLOAT);
    minifloat = MinifloatCodec.of(bits, true);
    if (rule == MINIFLOAT) {
      magnitude = minifloat.largest();
      lowest = 0;
      highest = 0;
    } else {
      magnitude = (1L << (bits - 1)) - 1;
      lowest = twoSided ? 0f : rule == TRAINING && !stochastic ? -128f : -magnitude;
      highest = twoSided ? (1L << bits) - 1 : magnitude;
    }
    levels = twoSided && !stochastic && widths ? highest : 1f;
  }

  private float nothing() {
    return divides ? Float.POSITIVE_INFINITY : 0f;
  }

  float factorOf(float stored) {
    if (rule == MINIFLOAT) {
      return 1f / stored;
    }
    if (rule == VECTORWISE) {
      float unit = stored / 127f;
      if (divides) {
        return unit == 0f || Float.isNaN(unit) ? nothing() : unit;
      }
      return unit < Float.MIN_NORMAL || Float.isNaN(unit) ? 0f : 127f / stored;
    }
    if (rule == TRAINING && !Float.isNaN(stored)) {
      float bounded = stored > 1e-12f ? stored : 1e-12f;
      return divides ? bounded : 1f / bounded;
    }
    if (divides) {
      return stored == 0f || Float.isNaN(stored) ? nothing() : stored;
    }
    return stored < Float.MIN_NORMAL || Float.isNaN(stored) ? 0f : 1f / stored;
  }

  /** Fills scale, factor and zero. */
  void scale(float largest, float smallest) {
    zero = 0;
    if (rule == MINIFLOAT) {
      minifloatScale(largest);
      return;
    }
    scale = Float.NaN;
    factor = nothing();
    if (!Float.isFinite(largest) || !Float.isFinite(smallest)) {
      return;
    }
    if (!twoSided) {
      scale = rule == VECTORWISE ? largest : largest / magnitude;
      factor = factorOf(scale);
      return;
    }
    float low = smallest < 0f ? smallest : 0f;
    float high = largest > 0f ? largest : 0f;
    if (rule == CENTRED && low < 0f) {
      high = -low > high ? -low : high;
      low = -high;
    }
    if (low == 0f && high == 0f) {
      low = -1f;
      high = 1f;
    }
    float width = high - low;
    if (!Float.isFinite(width)) {
      return;
    }
    double divisor = ((double) high - low) / highest;
    scale = (float) divisor;
    if (scale == 0f) {
      return;
    }
    factor = stochastic ? scale : width;
    zero = rule == CENTRED ? 1 << (bits - 1) : (int) Math.rint(-(double) low / divisor);
  }

  private void minifloatScale(float largest) {
    float amax = largest < epsilon ? epsilon : largest;
    if (powerOfTwo && amax == Float.POSITIVE_INFINITY) {
      scale = Float.NaN;
      factor = 0f;
      return;
    }
    scale = 1f;
    factor = 1f;
    if (amax == 0f || !Float.isFinite(amax)) {
      return;
    }
    float multiplier = magnitude / amax;
    if (!Float.isFinite(multiplier)) {
      multiplier = Float.MAX_VALUE;
    }
    if (powerOfTwo) {
      multiplier = Float.intBitsToFloat(Float.floatToRawIntBits(multiplier) & 0x7F800000);
    }
    scale = 1f / multiplier;
    factor = multiplier;
  }

  private static float rint(float x) {
    return (float) Math.rint(x);
  }

  /** The integer nearest to x / by * levels: that of doubles wherever floats could round off. */
  private float nearestQuotient(float x, float by) {
    float v = x / by * levels;
    float nearest = rint(v);
    return Math.abs(v - nearest) > SURELY_ROUNDED
        ? (float) Math.rint(x / ((double) by / levels))
        : nearest;
  }

  private int limited(float rounded, float zeroPoint) {
    float code = (Float.isNaN(rounded) ? 0f : rounded) + zeroPoint;
    float atMost = code > highest ? highest : code;
    return (int) (atMost < lowest ? lowest : atMost);
  }

  private int stochasticCode(float quotient, float zeroPoint, int word) {
    float t = Math.abs(quotient);
    float bounded = t < 65536f ? t : Float.isNaN(t) ? 0f : 65536f;
    float whole = (float) Math.floor(bounded);
    int fraction = (int) ((bounded - whole) * 0x1p24f);
    float rounded = whole + ((word >>> 8) + fraction >= 1 << 24 ? 1f : 0f);
    return limited(quotient < 0f ? -rounded : rounded, zeroPoint);
  }

  /** Codes of the run's floats, into its bytes. */
  void encode(ByteRun run, int n, float by, int zeroPoint, long element) {
    for (int i = 0; i < n; i++) {
      float x = run.floats[i];
      if (rule == MINIFLOAT) {
        if (by == 0f) {
          run.bytes[i] = 0;
        } else {
          float scaled = MinifloatCodec.scaledBy(x, by);
          run.bytes[i] =
              (byte)
                  (stochastic
                      ? minifloat.stochastic(scaled, run.word(seed, step, stream, element + i))
                      : minifloat.nearest(scaled));
        }
        continue;
      }
      if (twoSided && !stochastic) {
        run.bytes[i] = (byte) limited(nearestQuotient(x, by), zeroPoint);
        continue;
      }
      float v = divides ? x / by : x * by;
      run.bytes[i] =
          (byte)
              (stochastic
                  ? stochasticCode(v, zeroPoint, run.word(seed, step, stream, element + i))
                  : limited(rint(v), zeroPoint));
    }
  }

  /** What a code is multiplied by. */
  float multiplier(float stored) {
    return rule == VECTORWISE ? stored / 127f : stored;
  }

  /** The value of a code. */
  float value(byte code, float by, float zeroPoint) {
    if (rule == MINIFLOAT) {
      return minifloat.decode(code & 0xFF) * by;
    }
    return twoSided ? ((code & 0xFF) - zeroPoint) * by : code * by;
  }
}
