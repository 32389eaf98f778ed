package org.fettle;

import java.util.Objects;

/**
 * Integers of 1 to 8 bits with a scale per tile. A tile whose largest magnitude is infinite or NaN
 * gets a NaN scale and the codes of 0; a tile of zeros the scale 0.
 *
 * @param bits of a code: 2 to 8, 1 to 8 for asymmetric schemes, 8 for those of one author's INT8
 * @param scheme how scale and code follow from the values
 * @param grid which elements share a scale
 */
public record IntegerFormat(int bits, Scheme scheme, ScaleGrid grid) implements QuantizationFormat {
  /** How scale and code follow from the values; value = scale * (code - zero point). */
  public enum Scheme {
    /**
     * {@code s = amax / qmax}, {@code q = clamp(round(x * (1 / s)), -qmax, qmax)} with {@code qmax
     * = 2^(bits-1) - 1}. A scale below 2^-126 gives codes 0.
     */
    SYMMETRIC(0),
    /**
     * INT8 of pytorch/ao's training: {@code s = amax / 127}, {@code q = clamp(round(x * (1 / max(s,
     * 1e-12))), -128, 127)}.
     */
    TRAINING(1),
    /** INT8 of Jetfire (arXiv 2403.12422): {@code s = amax / 127}, {@code q = round(x / s)}. */
    DIVIDING(2),
    /**
     * The quantizer of OPTQ: {@code lo = min(0, min x)}, {@code hi = max(0, max x)}, {@code s = (hi
     * - lo) / (2^bits - 1)}, zero point {@code z = round(-lo / s)}, {@code q = clamp(round(x / s) +
     * z, 0, 2^bits - 1)}. Its quotients are those of doubles, as at its authors': the scale that is
     * stored is rounded after them.
     */
    ASYMMETRIC(3),
    /**
     * Its symmetric mode: {@code z = 2^(bits-1)}, and the range is symmetric where lo is below 0.
     */
    CENTRED(4),
    /**
     * INT8 of bitsandbytes: {@code q = round(x * (127 / amax))}; what is stored is amax, and value
     * = code * (amax / 127).
     */
    VECTORWISE(5);

    private final int code;

    Scheme(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }

    boolean hasZeroPoints() {
      return this == ASYMMETRIC || this == CENTRED;
    }
  }

  /** Checks what the scheme allows. */
  public IntegerFormat {
    Objects.requireNonNull(scheme, "scheme");
    Objects.requireNonNull(grid, "grid");
    if (scheme.hasZeroPoints()) {
      Range.check("bits", bits, bits >= 1 && bits <= 8, "in 1..8 for scheme " + scheme);
    } else if (scheme == Scheme.SYMMETRIC) {
      Range.check("bits", bits, bits >= 2 && bits <= 8, "in 2..8 for scheme " + scheme);
    } else {
      Range.check("bits", bits, bits == 8, "8 for scheme " + scheme);
    }
  }

  /** Symmetric INT8. */
  public static IntegerFormat int8(ScaleGrid grid) {
    return new IntegerFormat(8, Scheme.SYMMETRIC, grid);
  }

  /** Symmetric INT4, -7 to 7. */
  public static IntegerFormat int4(ScaleGrid grid) {
    return new IntegerFormat(4, Scheme.SYMMETRIC, grid);
  }

  /** Symmetric INT2: -1, 0, 1. */
  public static IntegerFormat int2(ScaleGrid grid) {
    return new IntegerFormat(2, Scheme.SYMMETRIC, grid);
  }

  @Override
  public DType codes() {
    return scheme.hasZeroPoints() ? DType.U8 : DType.I8;
  }

  @Override
  public DType scales() {
    return DType.F32;
  }

  @Override
  public long scales(long... shape) {
    return grid.scales(shape);
  }
}
