package org.fettle.internal;

import org.fettle.DType;

/**
 * The order in which values are selected: integer keys, larger ones first. Twin of {@code
 * native/src/kernels/select/keys.h}.
 */
public final class Keys {
  /** Stands for what takes no part; no value has this key. */
  public static final int NONE = Integer.MIN_VALUE;

  private Keys() {}

  /**
   * The key of a value.
   *
   * @param bits its bits; a format of 16 bits stands in the upper half
   * @param dtype its format
   * @param signed whether keys follow the values instead of the magnitudes
   */
  public static int of(int bits, DType dtype, boolean signed) {
    int magnitude = bits & Integer.MAX_VALUE;
    boolean nan = magnitude > (dtype == DType.F16 ? 0x7C000000 : 0x7F800000);
    if (!signed) {
      return nan ? largestMagnitude(dtype) : magnitude;
    }
    if (nan) {
      return Integer.MAX_VALUE;
    }
    if (magnitude == 0) {
      return 0;
    }
    return bits < 0 ? bits ^ Integer.MAX_VALUE : bits;
  }

  /** The value that has a key; of those with the same magnitude the positive one. */
  public static float value(int key, DType dtype) {
    int bits = key < 0 ? key ^ Integer.MAX_VALUE : key;
    return dtype == DType.F32
        ? Float.intBitsToFloat(bits)
        : Formats.decode(dtype, (short) (bits >>> 16));
  }

  private static int largestMagnitude(DType dtype) {
    return dtype == DType.F16 ? 0x7E000000 : 0x7FC00000;
  }
}
