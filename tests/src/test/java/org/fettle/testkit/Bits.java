package org.fettle.testkit;

import java.nio.ByteBuffer;
import org.fettle.DType;

/** Comparison of stored elements by their bits; any NaN equals any other. */
public final class Bits {
  private Bits() {}

  /** The bits of one element. */
  public static int at(ByteBuffer bytes, DType dtype, int offset, int index) {
    return switch (dtype) {
      case F32, I32 -> bytes.getInt(offset + 4 * index);
      case BF16, F16 -> bytes.getShort(offset + 2 * index) & 0xFFFF;
      case BIT -> bytes.get(offset + index / 8) >> (index % 8) & 1;
      case U8, I8 -> bytes.get(offset + index) & 0xFF;
      case I64, F64 -> throw new AssertionError(dtype + " has more bits than this compares");
    };
  }

  /** Whether the bits are a NaN's. */
  public static boolean isNan(DType dtype, int bits) {
    return switch (dtype) {
      case F32 -> (bits & 0x7FFFFFFF) > 0x7F800000;
      case BF16 -> (bits & 0x7FFF) > 0x7F80;
      case F16 -> (bits & 0x7FFF) > 0x7C00;
      default -> false;
    };
  }

  /** The bits, with every NaN made the same one. */
  public static int canonical(DType dtype, int bits) {
    return isNan(dtype, bits) ? -1 : bits;
  }

  /**
   * What differs between the elements at {@code offset} of two images, for a person to read; null
   * if nothing does.
   */
  public static String difference(
      ByteBuffer expected, ByteBuffer actual, DType dtype, int offset, int elements) {
    int first = -1;
    int count = 0;
    for (int i = 0; i < elements; i++) {
      int a = canonical(dtype, at(expected, dtype, offset, i));
      int b = canonical(dtype, at(actual, dtype, offset, i));
      if (a != b) {
        first = first < 0 ? i : first;
        count++;
      }
    }
    if (count == 0) {
      return null;
    }
    int a = at(expected, dtype, offset, first);
    int b = at(actual, dtype, offset, first);
    return String.format(
        "%d of %d %s elements differ, first at %d: expected 0x%x (%s), is 0x%x (%s), %s ulp apart",
        count,
        elements,
        dtype,
        first,
        a,
        value(dtype, a),
        b,
        value(dtype, b),
        isNan(dtype, a) || isNan(dtype, b)
            ? "no number of"
            : String.valueOf(Math.abs(order(dtype, a) - order(dtype, b))));
  }

  /** The value of an element, in plain arithmetic. */
  public static double value(DType dtype, int bits) {
    return switch (dtype) {
      case F32 -> Float.intBitsToFloat(bits);
      case BF16 -> Float.intBitsToFloat(bits << 16);
      case F16 -> half(bits);
      default -> bits;
    };
  }

  private static double half(int code) {
    int exponent = code >> 10 & 0x1F;
    int fraction = code & 0x3FF;
    double magnitude =
        exponent == 0x1F
            ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
            : exponent == 0
                ? Math.scalb((double) fraction, -24)
                : Math.scalb(1024.0 + fraction, exponent - 25);
    return (code & 0x8000) != 0 ? -magnitude : magnitude;
  }

  /** Neighbouring numbers of a format have neighbouring orders. */
  private static long order(DType dtype, int bits) {
    long sign = dtype == DType.F32 ? 0x80000000L : 0x8000L;
    long code = dtype == DType.F32 ? bits & 0xFFFFFFFFL : bits;
    return (code & sign) != 0 ? -(code & ~sign) : code;
  }
}
