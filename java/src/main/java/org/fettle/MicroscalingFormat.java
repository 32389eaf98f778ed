package org.fettle;

import java.util.Objects;

/**
 * OCP microscaling (MXFP8, MXFP6, MXFP4): blocks of 32 along the last axis share an E8M0 scale;
 * codes saturate. A block with an infinity or a NaN gets scale 255; its FP8 codes are NaN, its FP6
 * and FP4 codes 0.
 *
 * @param element the format of the elements
 * @param rule how the scale follows from the block's largest magnitude
 */
public record MicroscalingFormat(Minifloat element, Rule rule) implements QuantizationFormat {
  /** Elements that share a scale. */
  public static final int BLOCK = 32;

  /** How the exponent e of the scale follows from the largest magnitude a. */
  public enum Rule {
    /** {@code floor(log2 a) - emax}: OCP 1.0, section 6.3. Elements may saturate. */
    FLOOR(0),
    /** As FLOOR, of a rounded to the width of the element's mantissa. Source: pytorch/ao. */
    EVEN(1),
    /** {@code ceil(log2 a) - emax}. Source: pytorch/ao. */
    CEIL(2),
    /**
     * The smallest power of two that is at least a / largest: never saturates. Transformer Engine.
     */
    RCEIL(3);

    private final int code;

    Rule(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }
  }

  /** Checks the element. */
  public MicroscalingFormat {
    Objects.requireNonNull(element, "element");
    Objects.requireNonNull(rule, "rule");
    if (element == Minifloat.E8M0) {
      throw new IllegalArgumentException("element E8M0 holds scales: expected a format of values");
    }
  }

  /** With the rule of the OCP specification. */
  public static MicroscalingFormat of(Minifloat element) {
    return new MicroscalingFormat(element, Rule.FLOOR);
  }

  @Override
  public DType codes() {
    return DType.U8;
  }

  @Override
  public DType scales() {
    return DType.U8;
  }

  @Override
  public int bits() {
    return element.bits();
  }

  @Override
  public long scales(long... shape) {
    ScaleGrid.Matrix matrix = ScaleGrid.Matrix.of(shape);
    return matrix.rows() * (matrix.columns() / BLOCK);
  }
}
