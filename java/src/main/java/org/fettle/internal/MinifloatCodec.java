package org.fettle.internal;

/**
 * Floating formats of at most 8 bits, one element at a time, in the operations of {@code
 * native/src/core/minifloat.h}. A code is sign, exponent, mantissa from the high bits down.
 */
public final class MinifloatCodec {
  private static final int E8M0 = 5;
  private static final int NONE = 256;
  private static final int NAN = 0x7FC00000;

  private final int mantissaBits;
  private final int bias;
  private final int largestCode;
  private final int overflowCode;
  private final int nanCode;
  private final int infinityCode;
  private final int signBit;

  private MinifloatCodec(
      int mantissaBits,
      int bias,
      int largestCode,
      int overflowCode,
      int nanCode,
      int infinityCode,
      int signBit) {
    this.mantissaBits = mantissaBits;
    this.bias = bias;
    this.largestCode = largestCode;
    this.overflowCode = overflowCode;
    this.nanCode = nanCode;
    this.infinityCode = infinityCode;
    this.signBit = signBit;
  }

  /** The format of that number: E4M3, E5M2, E2M3, E3M2, E2M1. */
  public static MinifloatCodec of(long format, boolean saturating) {
    return switch ((int) format) {
      case 0 -> new MinifloatCodec(3, 7, 0x7E, saturating ? 0x7E : 0x7F, 0x7F, NONE, 0x80);
      case 1 -> new MinifloatCodec(2, 15, 0x7B, saturating ? 0x7B : 0x7C, 0x7E, 0x7C, 0x80);
      case 2 -> new MinifloatCodec(3, 1, 0x1F, 0x1F, -1, NONE, 0x20);
      case 3 -> new MinifloatCodec(2, 3, 0x1F, 0x1F, -1, NONE, 0x20);
      default -> new MinifloatCodec(1, 1, 0x07, 0x07, -1, NONE, 0x08);
    };
  }

  /** Whether a format's number is that of E8M0, which {@link #decodeScale} decodes. */
  public static boolean isScale(long format) {
    return format == E8M0;
  }

  /** The largest finite magnitude. */
  public float largest() {
    return decode(largestCode);
  }

  /** What a block of NaN holds. */
  public int blockNan() {
    return Math.max(0, nanCode);
  }

  /** {@code x * factor} to form a code of; a NaN has the sign of x, on every machine. */
  public static float scaledBy(float x, float factor) {
    float y = x * factor;
    return Float.isNaN(y)
        ? Float.intBitsToFloat(NAN | (Float.floatToRawIntBits(x) & 0x80000000))
        : y;
  }

  /** The nearest code, ties to even. */
  public int nearest(float x) {
    int bits = Float.floatToRawIntBits(x);
    int magnitude = bits & 0x7FFFFFFF;
    int shift = 23 - mantissaBits;
    int code;
    if (magnitude < (128 - bias) << 23) {
      // Below the smallest normal the spacing is constant: adding a power of two rounds to it.
      int aligner = (128 - bias + shift) << 23;
      float sum = Float.intBitsToFloat(magnitude) + Float.intBitsToFloat(aligner);
      code = Float.floatToRawIntBits(sum) - aligner;
    } else {
      int half = (1 << (shift - 1)) - 1 + ((magnitude >>> shift) & 1);
      code = ((magnitude + half) >>> shift) - ((127 - bias) << mantissaBits);
    }
    return finish(bits, code);
  }

  /** The code below or above, chosen by a random word; NaN and infinity take no noise. */
  public int stochastic(float x, int word) {
    int bits = Float.floatToRawIntBits(x);
    int magnitude = bits & 0x7FFFFFFF;
    if (magnitude >= 0x7F800000) {
      return finish(bits, 1 << 20);
    }
    int exponent = magnitude >= 0x00800000 ? magnitude >>> 23 : 1;
    int significand = magnitude >= 0x00800000 ? (magnitude & 0x007FFFFF) | 0x00800000 : magnitude;
    int least = 128 - bias;
    int kept = 23 - mantissaBits;
    int shift = exponent >= least ? kept : kept + (least - exponent);
    int code = shift < 32 ? significand >>> shift : 0;
    if (exponent > least) {
      code += (exponent - least) << mantissaBits;
    }
    int dropped = shift < 32 ? significand & ((1 << shift) - 1) : significand;
    int fraction = 0;
    if (shift <= 24) {
      fraction = dropped << (24 - shift);
    } else if (shift < 48) {
      fraction = dropped >>> (shift - 24);
    }
    if ((word >>> 8) + fraction >= 1 << 24) {
      code++;
    }
    return finish(bits, code);
  }

  private int finish(int bits, int code) {
    int sign = bits < 0 ? signBit : 0;
    if ((bits & 0x7FFFFFFF) > 0x7F800000) {
      return nanCode < 0 ? 0 : nanCode | sign;
    }
    return (code > largestCode ? overflowCode : code) | sign;
  }

  /** The value of a code. */
  public float decode(int code) {
    int magnitude = code & (signBit - 1);
    int sign = (code & signBit) != 0 ? 0x80000000 : 0;
    if (magnitude > largestCode) {
      return Float.intBitsToFloat(sign | (magnitude == infinityCode ? 0x7F800000 : NAN));
    }
    float scaled =
        Float.intBitsToFloat(magnitude << (23 - mantissaBits))
            * Float.intBitsToFloat((254 - bias) << 23);
    return Float.intBitsToFloat(sign | Float.floatToRawIntBits(scaled));
  }

  /** The value of an E8M0 code: {@code 2^(code - 127)}; 255 is NaN. */
  public static float decodeScale(int code) {
    if (code == 255) {
      return Float.NaN;
    }
    return Float.intBitsToFloat(code == 0 ? 0x00400000 : code << 23);
  }

  /**
   * The E8M0 code of a block whose largest magnitude has these bits; rules as in the native twin.
   */
  public int scale(long rule, int largest) {
    if (largest >= 0x7F800000) {
      return 255;
    }
    int code;
    if (rule == 3) {
      float reciprocal = 1f / largest();
      int bits = Float.floatToRawIntBits(Float.intBitsToFloat(largest) * reciprocal);
      int mantissa = bits & 0x7FFFFF;
      code = bits >>> 23;
      if (code == 0 ? mantissa > 0x400000 : mantissa != 0) {
        code++;
      }
    } else {
      int rounded = rule == 1 ? largest + (1 << (22 - mantissaBits)) : largest;
      code = (rounded >>> 23) - ((largestCode >> mantissaBits) - bias);
      if (rule == 2 && (largest & 0x7FFFFF) != 0) {
        code++;
      }
    }
    return Math.max(0, Math.min(254, code));
  }
}
