package org.fettle;

import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.IntegerProductKernels;

/**
 * Products of INT8 matrices with a scale per 32 x 32 block, as Jetfire has them (arXiv 2403.12422):
 * {@code left [rows, depth] * right [columns, depth]^T}. The blocks of a sum are added in order,
 * each by one fma: {@code y = fma(float(sum), left scale * right scale, y)}. Quantize with {@code
 * new IntegerFormat(8, DIVIDING, ScaleGrid.block(32, 32))}; scales of transposed codes are the
 * transposed scales.
 */
public final class BlockProduct {
  private final Backend backend;

  private BlockProduct(Backend backend) {
    this.backend = java.util.Objects.requireNonNull(backend, "backend");
  }

  /** Products on that backend. */
  public static BlockProduct on(Backend backend) {
    return new BlockProduct(backend);
  }

  /**
   * Multiplies.
   *
   * @param left I8 [rows, depth]
   * @param leftScales F32 [ceil(rows / 32), ceil(depth / 32)]
   * @param right I8 [columns, depth]
   * @param rightScales F32 [ceil(columns / 32), ceil(depth / 32)]
   * @param result F32 [rows, columns]
   */
  public void multiply(
      Tensor left, Tensor leftScales, Tensor right, Tensor rightScales, Tensor result) {
    new FormatChecks(backend)
        .reads("left", left, DType.I8)
        .reads("left scales", leftScales, DType.F32)
        .reads("right", right, DType.I8)
        .reads("right scales", rightScales, DType.F32)
        .writes("result", result, DType.F32)
        .done();
    FormatChecks.matrix("left", left);
    FormatChecks.matrix("right", right);
    long rows = left.shape()[0];
    long columns = right.shape()[0];
    long depth = left.shape()[1];
    long side = IntegerProductKernels.SIDE;
    long blocks = IntegerProductKernels.covers(depth, side);
    FormatChecks.shape("right", right, columns, depth);
    FormatChecks.shape("left scales", leftScales, IntegerProductKernels.covers(rows, side), blocks);
    FormatChecks.shape(
        "right scales", rightScales, IntegerProductKernels.covers(columns, side), blocks);
    FormatChecks.shape("result", result, rows, columns);
    backend
        .engine()
        .run(
            new KernelCall(IntegerProductKernels.BLOCK)
                .arrays(left, leftScales, right, rightScales, result)
                .integers(rows, columns, depth)
                .units(
                    IntegerProductKernels.covers(rows, side)
                        * IntegerProductKernels.covers(columns, side),
                    IntegerProduct.work(rows, columns, depth)));
  }
}
