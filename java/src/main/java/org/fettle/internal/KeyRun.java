package org.fettle.internal;

import org.fettle.DType;

/** The keys of a run of elements, for the Java twins of the kernels that select. */
public final class KeyRun {
  /** Elements of the longest run. */
  public static final int LONGEST = 4096;

  private final Windows values;
  private final Windows mask;
  private final int inverted;
  private final boolean signed;
  private final float[] floats = new float[LONGEST];
  private final short[] shorts = new short[LONGEST];
  private final byte[] bits = new byte[LONGEST / 8];
  private final int[] keys = new int[LONGEST];

  /**
   * Reads the keys of some values.
   *
   * @param mask the elements that take part; null for all
   * @param inverted 1 if it is the mask's complement that takes part
   * @param signed whether keys follow the values instead of the magnitudes
   */
  public KeyRun(Windows values, Windows mask, long inverted, boolean signed) {
    this.values = values;
    this.mask = mask;
    this.inverted = (int) inverted;
    this.signed = signed;
  }

  /** The keys of elements {@code first} (with a mask a multiple of 8) to {@code first + n - 1}. */
  public int[] load(long first, int n) {
    DType dtype = values.dtype();
    if (dtype == DType.F32) {
      values.getFloats(first, floats, n);
      for (int i = 0; i < n; i++) {
        keys[i] = Keys.of(Float.floatToRawIntBits(floats[i]), dtype, signed);
      }
    } else {
      values.getShorts(first, shorts, n);
      for (int i = 0; i < n; i++) {
        keys[i] = Keys.of(shorts[i] << 16, dtype, signed);
      }
    }
    if (mask != null) {
      mask.getBytes(first / 8, bits, (n + 7) / 8);
      for (int i = 0; i < n; i++) {
        if ((bits[i / 8] >> (i % 8) & 1) == inverted) {
          keys[i] = Keys.NONE;
        }
      }
    }
    return keys;
  }

  /** The key of one element. */
  public int at(long element) {
    if (mask != null && (mask.getByte(element) >> (element % 8) & 1) == inverted) {
      return Keys.NONE;
    }
    if (values.dtype() == DType.F32) {
      values.getFloats(element, floats, 1);
      return Keys.of(Float.floatToRawIntBits(floats[0]), DType.F32, signed);
    }
    values.getShorts(element, shorts, 1);
    return Keys.of(shorts[0] << 16, values.dtype(), signed);
  }
}
