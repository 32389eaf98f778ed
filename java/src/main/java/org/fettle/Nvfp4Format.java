package org.fettle;

/**
 * NVFP4: blocks of 16 elements E2M1 along the last axis share an E4M3 scale, and all a float32 one.
 * The scale of a block is at least 2^-6, the smallest normal. A tensor of zeros has the global
 * scale 1. Source: pytorch/ao.
 *
 * @param globalScale whether there is a float32 scale besides, {@code amax / (448 * 6)}
 */
public record Nvfp4Format(boolean globalScale) implements QuantizationFormat {
  /** Elements that share a scale. */
  public static final int BLOCK = 16;

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
    return 4;
  }

  @Override
  public long scales(long... shape) {
    ScaleGrid.Matrix matrix = ScaleGrid.Matrix.of(shape);
    return matrix.rows() * (matrix.columns() / BLOCK);
  }
}
