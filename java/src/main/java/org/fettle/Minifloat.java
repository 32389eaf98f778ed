package org.fettle;

import org.fettle.internal.MinifloatCodec;

/**
 * Floating formats of at most 8 bits: sign, exponent and mantissa from the high bits down, stored
 * one per byte. NaN keeps its sign and is stored as the canonical code; signed zeros and subnormals
 * are kept. Source: OCP 8-bit floating point 1.0, OCP microscaling 1.0.
 */
public enum Minifloat {
  /** 4 exponent bits, 3 of the mantissa, bias 7: up to 448, NaN 0x7F, no infinity ("FN"). */
  E4M3(0, 8, 448),
  /** 5 exponent bits, 2 of the mantissa, bias 15: up to 57344, infinity 0x7C, NaN 0x7E. */
  E5M2(1, 8, 57344),
  /** 2 exponent bits, 3 of the mantissa, bias 1: up to 7.5, no infinity, no NaN (stored as 0). */
  E2M3(2, 6, 7.5f),
  /** 3 exponent bits, 2 of the mantissa, bias 3: up to 28, no infinity, no NaN (stored as 0). */
  E3M2(3, 6, 28),
  /** 2 exponent bits, 1 of the mantissa, bias 1: up to 6, no infinity, no NaN (stored as 0). */
  E2M1(4, 4, 6),
  /** Powers of two from 2^-127 to 2^127, NaN 0xFF; no zero and no sign. Holds scales only. */
  E8M0(5, 8, 0x1p127f);

  private final int code;
  private final int bits;
  private final float largest;

  Minifloat(int code, int bits, float largest) {
    this.code = code;
    this.bits = bits;
    this.largest = largest;
  }

  /** The number in the C ABI. */
  public int code() {
    return code;
  }

  /** Bits of a code. */
  public int bits() {
    return bits;
  }

  /** The largest finite magnitude. */
  public float largest() {
    return largest;
  }

  /** The value of a code; bits that the format does not have are ignored. */
  public float decode(int element) {
    return this == E8M0
        ? MinifloatCodec.decodeScale(element & 0xFF)
        : MinifloatCodec.of(code, true).decode(element & 0xFF);
  }

  /**
   * The code of the nearest value, ties to even; what is beyond the largest becomes the largest.
   */
  public int encode(float value) {
    if (this == E8M0) {
      throw new IllegalArgumentException("E8M0 holds scales: expected a format of values");
    }
    return MinifloatCodec.of(code, true).nearest(value);
  }
}
