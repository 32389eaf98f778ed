package org.fettle.sparsity;

import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.MaskKernels;

/**
 * Masks of weights from masks of whole channels, heads or blocks: every weight gets the bit of the
 * structure that it belongs to. The structures are those of {@link StructuredScores}, so a {@link
 * Selection} over its scores gives their masks.
 *
 * <p>Each method reads 1 bit per structure and writes 1 bit per weight; {@code mask} is BIT of the
 * weight's shape.
 */
public final class StructuredMasks {
  private final Backend backend;

  private StructuredMasks(Backend backend) {
    this.backend = backend;
  }

  /** Masks on a backend. */
  public static StructuredMasks on(Backend backend) {
    return new StructuredMasks(Objects.requireNonNull(backend, "backend"));
  }

  /**
   * From output channels, axis 0.
   *
   * @param kept BIT [out]
   */
  public void outputs(Tensor kept, Tensor mask) {
    long rows = axis(mask, 0);
    long columns = rest(mask, rows);
    spread(kept, mask, rows, columns, 1, columns, 1, rows);
  }

  /**
   * From input channels, axis 1.
   *
   * @param kept BIT [in]
   */
  public void inputs(Tensor kept, Tensor mask) {
    long rows = axis(mask, 0);
    long channels = axis(mask, 1);
    long columns = rest(mask, rows);
    spread(
        kept,
        mask,
        rows,
        columns,
        rows,
        channels == 0 ? 0 : columns / channels,
        channels,
        channels);
  }

  /**
   * From heads: as many consecutive output channels each.
   *
   * @param kept BIT [heads]; their number divides the output channels
   */
  public void heads(Tensor kept, Tensor mask) {
    long rows = axis(mask, 0);
    long heads = Objects.requireNonNull(kept, "kept").elements();
    if (heads == 0 || rows % heads != 0) {
      throw new IllegalArgumentException(
          "mask is " + mask + ": expected output channels that " + heads + " heads divide");
    }
    long columns = rest(mask, rows);
    spread(kept, mask, rows, columns, rows / heads, columns, 1, heads);
  }

  /**
   * From tiles of {@code size x size} of the weight seen as [out, everything else]; the last tiles
   * of a row or column are smaller.
   *
   * @param kept BIT [ceil(out / size), ceil(rest / size)]
   * @param size &gt;= 1
   */
  public void blocks(Tensor kept, int size, Tensor mask) {
    Range.check("block size", size, size >= 1, ">= 1");
    long rows = axis(mask, 0);
    long columns = rest(mask, rows);
    long across = Selector.units(columns, size);
    spread(kept, mask, rows, columns, size, size, across, Selector.units(rows, size), across);
  }

  private static long axis(Tensor mask, int axis) {
    Objects.requireNonNull(mask, "mask");
    if (mask.rank() <= axis) {
      throw new IllegalArgumentException(
          "mask is " + mask + ": expected at least " + (axis + 1) + " axes");
    }
    return mask.shape()[axis];
  }

  private static long rest(Tensor mask, long rows) {
    return rows == 0 ? 0 : mask.elements() / rows;
  }

  private void spread(
      Tensor kept,
      Tensor mask,
      long rows,
      long columns,
      long rowSize,
      long columnSize,
      long across,
      long... shape) {
    TensorChecks checks = new TensorChecks(backend).reads("kept", kept, DType.BIT);
    checks.shape("kept", kept, shape).writes("mask", mask, DType.BIT);
    var engine = checks.done();
    if (mask.elements() == 0) {
      return;
    }
    engine.run(
        new KernelCall(MaskKernels.SPREAD)
            .arrays(kept, mask)
            .integers(rows, columns, rowSize, columnSize, across)
            .units(Selector.units(mask.elements(), MaskKernels.PACK_UNIT), mask.elements()));
  }
}
