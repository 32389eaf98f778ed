package org.fettle.internal;

import static org.fettle.Arithmetic.clamp;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;

/**
 * Block-wise formats, in the operations of {@code native/src/core/blocks.h}: codes of 8 or 4 bits
 * with one float per block. A block whose largest magnitude is not finite stores NaN as its scale
 * and the codes of 0.
 */
public enum BlockFormat {
  /** Code times largest / 127. */
  LINEAR8(64, 8, Scaling.INTEGER, new Linear()),
  /** (Code + 1) / 256 times largest; values that are not negative. */
  LINEAR8_POSITIVE(65, 8, Scaling.UNIT, new Positive(256)),
  /** The dynamic map of bitsandbytes. */
  DYNAMIC8(66, 8, Scaling.RECIPROCAL, new Dynamic(7, false)),
  /** Its unsigned form. */
  DYNAMIC8_POSITIVE(67, 8, Scaling.RECIPROCAL, new Dynamic(7, true)),
  /** The same maps, scaled as pytorch/ao does. */
  TORCHAO8(68, 8, Scaling.QUOTIENT, new Dynamic(7, false)),
  /** The unsigned form. */
  TORCHAO8_POSITIVE(69, 8, Scaling.QUOTIENT, new Dynamic(7, true)),
  /** Four bits, the even element in the high nibble. */
  TORCHAO4(70, 4, Scaling.QUOTIENT, new Dynamic(3, false)),
  /** (Code + 1) / 16 times largest. */
  TORCHAO4_POSITIVE(71, 4, Scaling.QUOTIENT, new Positive(16)),
  /** E4M3 times max(largest, 1e-12) / 448. */
  BLOCK_E4M3(72, 8, Scaling.E4M3, new Minifloat());

  /** A code to its value in units of the scale, and a scaled value to its code. */
  private sealed interface Map permits Linear, Positive, Dynamic, Minifloat {
    float decode(int code);

    int encode(float x);
  }

  private enum Scaling {
    INTEGER,
    UNIT,
    RECIPROCAL,
    QUOTIENT,
    E4M3
  }

  private final int code;
  private final int bits;
  private final Scaling scaling;

  @SuppressWarnings("ImmutableEnumChecker") // its parts are never changed
  private final Map map;

  @SuppressWarnings("ImmutableEnumChecker") // its elements are never changed
  private final float[] values;

  BlockFormat(int code, int bits, Scaling scaling, Map map) {
    this.code = code;
    this.bits = bits;
    this.scaling = scaling;
    this.map = map;
    values = new float[1 << bits];
    for (int i = 0; i < values.length; i++) {
      values[i] = map.decode(i);
    }
  }

  /** The number in the C ABI ({@code enum fettle_dtype}). */
  public int code() {
    return code;
  }

  /** Bits of a code. */
  public int bits() {
    return bits;
  }

  /** Bytes of the codes of a row. */
  public long bytes(long elements) {
    return (elements * bits + 7) / 8;
  }

  /** The values that codes stand for, in units of the scale. */
  public float[] codeValues() {
    return values.clone();
  }

  /**
   * Decodes a run of elements.
   *
   * @param codes the bytes of the run, which starts with a whole byte
   * @param from the first element among them
   * @param scale of the block that they are in
   */
  void decode(byte[] codes, int from, float scale, int n, float[] to, int at) {
    if (bits == 8) {
      for (int i = 0; i < n; i++) {
        to[at + i] = values[codes[from + i] & 0xFF] * scale;
      }
    } else {
      for (int i = 0; i < n; i++) {
        int element = from + i;
        to[at + i] = values[codes[element >> 1] >> ((element & 1) == 0 ? 4 : 0) & 15] * scale;
      }
    }
  }

  /**
   * Encodes one block.
   *
   * @param whole whether the block is of the usual size
   * @param codes receives the codes, from element {@code to} on, a whole byte
   * @return the scale to store
   */
  public float encode(float[] from, int at, int n, boolean whole, byte[] codes, int to) {
    float largest = 0f;
    for (int i = 0; i < n; i++) {
      largest = larger(Math.abs(from[at + i]), largest);
    }
    boolean finite = Float.isFinite(largest);
    float stored = largest;
    float factor = 0f;
    boolean divides = false;
    switch (scaling) {
      case INTEGER -> {
        stored = largest / 127f;
        factor = stored < Float.MIN_NORMAL ? 0f : 1f / stored;
      }
      case UNIT -> factor = largest < Float.MIN_NORMAL ? 0f : 1f / largest;
      case RECIPROCAL -> {
        float divisor = largest > 1e-38f ? largest : 1e-38f;
        stored = whole ? largest : divisor;
        factor = whole ? 1f / divisor : divisor;
        divides = !whole;
      }
      case QUOTIENT -> {
        stored = largest > 1e-12f ? largest : 1e-12f;
        factor = stored;
        divides = true;
      }
      case E4M3 -> {
        stored = (largest > 1e-12f ? largest : 1e-12f) / 448f;
        factor = stored;
        divides = true;
      }
    }
    for (int i = 0; i < n; i++) {
      float x = from[at + i];
      int found = map.encode(!finite ? 0f : divides ? x / factor : x * factor);
      put(codes, to + i, found);
    }
    if (bits == 4 && n % 2 != 0) {
      put(codes, to + n, map.encode(0f));
    }
    return finite ? stored : Float.NaN;
  }

  private void put(byte[] codes, int element, int found) {
    if (bits == 8) {
      codes[element] = (byte) found;
    } else if ((element & 1) == 0) {
      codes[element >> 1] = (byte) (found << 4);
    } else {
      codes[element >> 1] |= (byte) found;
    }
  }

  private record Linear() implements Map {
    @Override
    public float decode(int code) {
      return (byte) code;
    }

    @Override
    public int encode(float x) {
      return (int) clamp((float) Math.rint(x), 127f) & 0xFF;
    }
  }

  private record Positive(int levels) implements Map {
    @Override
    public float decode(int code) {
      return (code + 1f) * (1f / levels);
    }

    @Override
    public int encode(float x) {
      float code = (float) Math.rint(x * levels) - 1f;
      return (int) (code > 0f ? (code < levels - 1f ? code : levels - 1f) : 0f);
    }
  }

  /** The dynamic map; {@code DynamicTables} of the C++ header explains the numbers. */
  private static final class Dynamic implements Map {
    private final int decades;
    private final boolean positive;
    private final int zero;
    private final float[] origin;
    private final float[] step;
    private final float[] start;
    private final float[] threshold;
    private final float[] slope;
    private final float[] offset;
    private final float[] last;

    Dynamic(int decades, boolean positive) {
      this.decades = decades;
      this.positive = positive;
      zero = (1 << decades) - 1;
      int count = decades + 1;
      origin = new float[count];
      step = new float[count];
      start = new float[count];
      threshold = new float[count];
      slope = new float[count];
      offset = new float[count];
      last = new float[count];
      for (int t = 0; t < count; t++) {
        double n = cells(t);
        boolean top = t == decades;
        origin[t] = (float) n;
        start[t] = (float) first(t);
        threshold[t] =
            (float)
                (t == 0
                    ? first(0) / 2.0
                    : (power(t - 1) * (1.0 - 0.45 / cells(t - 1)) + first(t)) / 2.0);
        step[t] = top ? 0f : (float) (0.9 * power(t) / n);
        slope[t] = top ? 0f : (float) (n / (0.9 * power(t)));
        offset[t] = top ? (float) (n + 0.5) : (float) (n - n / 9.0);
        last[t] = top ? (float) n : (float) (2.0 * n - 1.0);
      }
    }

    private double cells(int t) {
      return positive ? 2 << t : 1 << t;
    }

    private double power(int t) {
      double result = 1.0;
      for (int k = t; k < decades - 1; k++) {
        result /= 10.0;
      }
      return result;
    }

    private double first(int t) {
      return t == decades ? 1.0 : power(t) * (0.1 + 0.45 / cells(t));
    }

    @Override
    public float decode(int code) {
      float number = positive ? code + 1f : Math.abs((float) code - zero);
      int t = Math.max(0, Math.getExponent(number) - (positive ? 1 : 0));
      float magnitude = fma(step[t], number - origin[t], start[t]);
      float value = number < (positive ? 2f : 1f) ? 0f : magnitude;
      return !positive && code < zero ? -value : value;
    }

    @Override
    public int encode(float x) {
      float magnitude = Math.abs(x);
      int t = 0;
      while (t < decades && magnitude > threshold[t + 1]) {
        t++;
      }
      float position = fma(magnitude, slope[t], offset[t]);
      float number = Math.min((float) Math.ceil(position) - 1f, last[t]);
      if (!(magnitude > threshold[0])) {
        number = positive ? 1f : 0f;
      }
      if (positive) {
        return x < 0f ? 0 : (int) number - 1;
      }
      return x < 0f ? Math.max(zero - (int) number, 0) : zero + (int) number;
    }
  }

  private record Minifloat() implements Map {
    @Override
    public float decode(int code) {
      int magnitude = code & 127;
      int field = magnitude >> 3;
      int low = magnitude & 7;
      float value = field > 0 ? (low + 8f) * Math.scalb(1f, field - 10) : low * 0x1p-9f;
      float number = magnitude == 127 ? Float.NaN : value;
      return code < 128 ? number : -number;
    }

    @Override
    public int encode(float x) {
      float held = Math.min(Math.abs(x), 448f);
      int e = Math.max(Math.getExponent(held), -6);
      int code = (e + 6) * 8 + (int) Math.rint(held * Math.scalb(1f, 3 - e));
      return Float.floatToRawIntBits(x) < 0 ? code + 128 : code;
    }
  }
}
