package org.fettle;

import java.util.Objects;

/**
 * FP8 with a scale per tile: current scaling with {@link ScaleGrid#TENSOR}, block scaling with
 * tiles of 1 x 128 (activations and gradients) and 128 x 128 (weights). {@code multiplier = largest
 * / max(amax, eps)}, 1 where amax is 0, infinite or NaN; the code is {@code saturate(x *
 * multiplier)} and what is stored is {@code 1 / multiplier}. With power-of-two scales an infinite
 * amax stores NaN. Source: Transformer Engine; block scaling is that of DeepSeek-V3, arXiv
 * 2412.19437.
 *
 * @param element {@link Minifloat#E4M3} or {@link Minifloat#E5M2}
 * @param grid which elements share a scale
 * @param amaxEpsilon the least amax; 0 by default
 * @param powerOfTwoScales whether multipliers are rounded down to powers of two
 */
public record Fp8Format(
    Minifloat element, ScaleGrid grid, double amaxEpsilon, boolean powerOfTwoScales)
    implements QuantizationFormat {
  /** Checks the element and eps. */
  public Fp8Format {
    Objects.requireNonNull(element, "element");
    Objects.requireNonNull(grid, "grid");
    checkElement(element);
    Range.nonNegative("amaxEpsilon", amaxEpsilon);
  }

  static void checkElement(Minifloat element) {
    if (element != Minifloat.E4M3 && element != Minifloat.E5M2) {
      throw new IllegalArgumentException("element " + element + ": expected E4M3 or E5M2");
    }
  }

  /** Current scaling: one scale, eps 0, any scale. */
  public static Fp8Format current(Minifloat element) {
    return new Fp8Format(element, ScaleGrid.TENSOR, 0, false);
  }

  /** E4M3 in tiles with power-of-two scales, eps 0: 1 x 128 for activations and gradients. */
  public static Fp8Format blocks(long rows, long columns) {
    return new Fp8Format(Minifloat.E4M3, ScaleGrid.block(rows, columns), 0, true);
  }

  @Override
  public DType codes() {
    return DType.U8;
  }

  @Override
  public DType scales() {
    return DType.F32;
  }

  @Override
  public int bits() {
    return 8;
  }

  @Override
  public long scales(long... shape) {
    return grid.scales(shape);
  }
}
