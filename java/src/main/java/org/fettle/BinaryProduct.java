package org.fettle;

import java.util.Objects;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.FieldKernels;
import org.fettle.internal.kernels.IntegerProductKernels;

/**
 * Products of matrices of signs, 64 to a word: {@code dot = depth - 2 * popcount(a xor b)}. Element
 * k of a row is bit {@code k mod 64} of word {@code k div 64}, 1 for +1; the bits behind a row are
 * 0. One bit holds no zero and no NaN: 0, -0 and NaN count as +1.
 */
public final class BinaryProduct {
  private final Backend backend;

  private BinaryProduct(Backend backend) {
    this.backend = Objects.requireNonNull(backend, "backend");
  }

  /** Products on that backend. */
  public static BinaryProduct on(Backend backend) {
    return new BinaryProduct(backend);
  }

  /** Words of a row of that many elements. */
  public static long words(long depth) {
    Range.check("depth", depth, depth >= 0, ">= 0");
    return IntegerProductKernels.covers(depth, 64);
  }

  /**
   * Packs the signs of a matrix.
   *
   * @param values F32 or I8 [rows, depth]
   * @param packed I64 [rows, ceil(depth / 64)]
   */
  public void pack(Tensor values, Tensor packed) {
    Objects.requireNonNull(values, "values");
    if (values.dtype() != DType.F32 && values.dtype() != DType.I8) {
      throw new IllegalArgumentException("values is " + values.dtype() + ": expected F32 or I8");
    }
    new FormatChecks(backend)
        .reads("values", values, values.dtype())
        .writes("packed", packed, DType.I64)
        .done();
    FormatChecks.matrix("values", values);
    long[] shape = values.shape();
    FormatChecks.shape("packed", packed, shape[0], words(shape[1]));
    backend
        .engine()
        .run(
            new KernelCall(FieldKernels.SIGNS)
                .arrays(values, packed)
                .integers(shape[1])
                .units(shape[0], values.elements()));
  }

  /**
   * Multiplies.
   *
   * @param depth elements of a row, at most 2^31 - 1
   * @param left I64 [rows, words]
   * @param right I64 [columns, words]
   * @param scales F32 [columns], for an F32 result; null for none
   * @param result I32, or F32 with the scales multiplied in, [rows, columns]
   */
  public void multiply(long depth, Tensor left, Tensor right, Tensor scales, Tensor result) {
    Objects.requireNonNull(result, "result");
    Range.check("depth", depth, depth >= 0 && depth <= Integer.MAX_VALUE, "in 0..2^31-1");
    if (result.dtype() != DType.I32 && result.dtype() != DType.F32) {
      throw new IllegalArgumentException("result is " + result.dtype() + ": expected I32 or F32");
    }
    FormatChecks checks =
        new FormatChecks(backend)
            .reads("left", left, DType.I64)
            .reads("right", right, DType.I64)
            .writes("result", result, result.dtype());
    FormatChecks.matrix("left", left);
    FormatChecks.matrix("right", right);
    long rows = left.shape()[0];
    long columns = right.shape()[0];
    FormatChecks.shape("left", left, rows, words(depth));
    FormatChecks.shape("right", right, columns, words(depth));
    FormatChecks.shape("result", result, rows, columns);
    if (result.dtype() == DType.I32) {
      FormatChecks.absent("scales", scales, "an I32 result");
    }
    checks.readsIfThere("scales", scales, DType.F32, columns);
    checks.done();
    backend
        .engine()
        .run(
            new KernelCall(IntegerProductKernels.BINARY)
                .arrays(left, right, result, scales)
                .integers(rows, columns, depth)
                .units(
                    rows * IntegerProductKernels.covers(columns, 64),
                    IntegerProduct.work(rows, columns, words(depth) * 8)));
  }
}
