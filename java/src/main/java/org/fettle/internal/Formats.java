package org.fettle.internal;

import org.fettle.DType;

/**
 * 16-bit formats, one element at a time, in the integer operations of {@code
 * native/src/core/formats.h}. NaN is stored as the canonical one; infinities skip the noise;
 * overflow gives infinity.
 */
public final class Formats {
  private Formats() {}

  /** The value of a code. */
  public static float decode(DType dtype, short code) {
    return dtype == DType.BF16 ? Float.intBitsToFloat(code << 16) : decodeF16(code);
  }

  /** The nearest code, ties to even. */
  public static short nearest(DType dtype, float x) {
    return dtype == DType.BF16 ? nearestBf16(x) : nearestF16(x);
  }

  /** The code below or above, chosen by a random word. */
  public static short stochastic(DType dtype, float x, int word) {
    return dtype == DType.BF16 ? stochasticBf16(x, word) : stochasticF16(x, word);
  }

  static float decodeF16(short code) {
    int sign = (code & 0x8000) << 16;
    int magnitude = code & 0x7FFF;
    if (magnitude >= 0x7C00) {
      return Float.intBitsToFloat(sign | 0x7F800000 | ((magnitude & 0x3FF) != 0 ? 0x400000 : 0));
    }
    // Scaling by 2^112 moves the exponent bias; both factors are exact, subnormals included.
    float scaled = Float.intBitsToFloat(magnitude << 13) * 0x1p112f;
    return Float.intBitsToFloat(sign | Float.floatToRawIntBits(scaled));
  }

  static short nearestBf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    int rounded = (bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16;
    return (short) (Float.isNaN(x) ? 0x7FC0 : rounded);
  }

  static short stochasticBf16(float x, int word) {
    int bits = Float.floatToRawIntBits(x);
    int noise = (bits & 0x7F800000) != 0x7F800000 ? word >>> 16 : 0;
    return (short) (Float.isNaN(x) ? 0x7FC0 : (bits + noise) >>> 16);
  }

  static short nearestF16(float x) {
    int bits = Float.floatToRawIntBits(x);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) {
      return 0x7E00;
    }
    if (magnitude >= 0x477FF000) {
      return (short) (sign | 0x7C00);
    }
    int shift = droppedBits(magnitude);
    int significand = significandOf(magnitude);
    int code = codeOf(magnitude, significand, shift);
    if (shift < 32) {
      int dropped = significand & ((1 << shift) - 1);
      int half = 1 << (shift - 1);
      // Unsigned: with 31 dropped bits the half is the highest positive power.
      if (dropped > half || (dropped == half && (code & 1) != 0)) {
        code++;
      }
    }
    return (short) (sign | code);
  }

  static short stochasticF16(float x, int word) {
    int bits = Float.floatToRawIntBits(x);
    int sign = (bits >>> 16) & 0x8000;
    int magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) {
      return 0x7E00;
    }
    if (magnitude >= 0x47800000) {
      return (short) (sign | 0x7C00);
    }
    int shift = droppedBits(magnitude);
    int significand = significandOf(magnitude);
    int code = codeOf(magnitude, significand, shift);
    // The dropped part as a 24-bit fraction; below 2^-24 of a spacing it never rounds up.
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
    return (short) (sign | code);
  }

  private static int significandOf(int magnitude) {
    return magnitude >= 0x00800000 ? (magnitude & 0x007FFFFF) | 0x00800000 : magnitude;
  }

  /**
   * How many bits of the significand f16 cannot keep: 13, and more where the result is subnormal.
   */
  private static int droppedBits(int magnitude) {
    int exponent = magnitude >= 0x00800000 ? magnitude >>> 23 : 1;
    return exponent >= 113 ? 13 : 13 + (113 - exponent);
  }

  /** The truncated code; a carry out of its last bit runs into the exponent as it should. */
  private static int codeOf(int magnitude, int significand, int shift) {
    if (shift >= 32) {
      return 0;
    }
    return shift > 13 ? significand >>> shift : (magnitude >>> 13) - (112 << 10);
  }
}
