package org.fettle.sparsity;

import java.nio.ByteBuffer;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.NmKernels;

/**
 * N:M sparsity: of every M entries N stay, those of the largest magnitude, ties to the lowest index
 * (arXiv:2102.04010). N counts what is <em>kept</em>.
 *
 * @param n 0 to m
 * @param m &gt;= 1
 */
public record NmPattern(int n, int m) {
  /** How a transposable mask is found. */
  public enum Search {
    /** In descending magnitude, what finds room in its row and column (arXiv:2102.08124). */
    GREEDY,
    /** The largest kept sum of magnitudes; M = 4 only. */
    BEST
  }

  private static final DType[] WEIGHTS = {DType.F32, DType.BF16, DType.F16};
  private static final DType[] PADDED = {
    DType.F32, DType.BF16, DType.F16, DType.I8, DType.U8, DType.I32, DType.I64, DType.F64
  };
  private static final long COPIED_BYTES = 1 << 20;

  /** Checks the pattern. */
  public NmPattern {
    Range.check("m", m, m >= 1, ">= 1");
    Range.check("n", n, n >= 0 && n <= m, "0 to m, which is " + m);
  }

  /** The mask along the last axis. */
  public void mask(Backend backend, Tensor weight, Tensor mask) {
    mask(backend, weight, weight.rank() - 1, mask);
  }

  /**
   * The mask along an axis: groups of M consecutive entries of that axis. For convolutions, GPUs
   * need groups along axis 1, the input channels.
   *
   * @param weight F32, BF16 or F16
   * @param axis whose length M divides
   * @param mask BIT of the weight's shape
   */
  public void mask(Backend backend, Tensor weight, int axis, Tensor mask) {
    TensorChecks checks = new TensorChecks(backend).reads("weight", weight, WEIGHTS);
    checks.writes("mask", mask, DType.BIT).like("mask", mask, weight);
    long[] shape = weight.shape();
    Range.check("axis", axis, axis >= 0 && axis < shape.length, "an axis of " + weight);
    divides("axis " + axis + " of weight", shape[axis]);
    long inner = 1;
    for (int i = axis + 1; i < shape.length; i++) {
      inner *= shape[i];
    }
    Engine engine = checks.done();
    if (weight.elements() == 0) {
      return;
    }
    long size = NmKernels.unitElements(m, inner);
    engine.run(
        new KernelCall(NmKernels.MASK)
            .arrays(weight, mask)
            .integers(weight.elements(), n, m, inner)
            .units((weight.elements() + size - 1) / size, weight.elements()));
  }

  /**
   * A mask that is N:M along rows and columns. Rows and columns of a greedy one may keep less than
   * N.
   *
   * @param weight F32, BF16 or F16 [out, in], both multiples of M
   * @param search {@link Search#BEST} needs M = 4
   * @param mask BIT of the weight's shape
   * @return the sum of the kept magnitudes
   */
  public double transposable(Backend backend, Tensor weight, Search search, Tensor mask) {
    TensorChecks checks = new TensorChecks(backend).reads("weight", weight, WEIGHTS);
    checks.rank("weight", weight, 2);
    checks.writes("mask", mask, DType.BIT).like("mask", mask, weight);
    divides("axis 0 of weight", weight.shape()[0]);
    divides("axis 1 of weight", weight.shape()[1]);
    Range.check("m", m, m <= NmKernels.MOST_TRANSPOSABLE, "at most 64 for transposable masks");
    Range.check("m", m, search != Search.BEST || m == 4, "4 for the best mask");
    Engine engine = checks.done();
    long columns = weight.shape()[1];
    if (weight.elements() == 0) {
      return 0;
    }
    long size = 8L * m * columns;
    long units = (weight.elements() + size - 1) / size;
    try (Scratch scratch = new Scratch(engine)) {
      Tensor kept = scratch.tensor(DType.F64, units);
      engine.run(
          new KernelCall(NmKernels.TRANSPOSABLE)
              .arrays(weight, mask, kept)
              .integers(weight.elements(), n, m, columns, search == Search.BEST ? 1 : 0)
              .units(units, 32 * weight.elements()));
      double sum = 0;
      for (double one : scratch.doubles(kept)) {
        sum += one;
      }
      return sum;
    }
  }

  /** The length of a row of {@code length} entries with its padding: the next multiple of M. */
  public long paddedLength(long length) {
    Range.check("length", length, length >= 0 && length <= Long.MAX_VALUE - m, ">= 0");
    return (length + m - 1) / m * m;
  }

  /**
   * Pads every row with zeros, so that M divides the last axis; nothing else does it unasked. Masks
   * and compressed forms are then of the padded matrix. Of equal entries the lowest index stays, so
   * padding goes before no entry of the row.
   *
   * @param weight of any format but BIT, at least one axis
   * @param padded of its format and shape, the last axis {@link #paddedLength} long
   */
  public void padToMultiple(Backend backend, Tensor weight, Tensor padded) {
    copyRows(backend, "weight", weight, "padded", padded, true);
  }

  /**
   * Rows without their padding, the way back of {@link #padToMultiple}.
   *
   * @param padded of any format but BIT
   * @param weight of its format and shape, but for the last axis, of which {@link #paddedLength}
   *     makes that of {@code padded}
   */
  public void withoutPadding(Backend backend, Tensor padded, Tensor weight) {
    copyRows(backend, "padded", padded, "weight", weight, false);
  }

  private void copyRows(
      Backend backend, String fromName, Tensor from, String toName, Tensor to, boolean pads) {
    TensorChecks checks =
        new TensorChecks(backend)
            .reads(fromName, from, PADDED)
            .writes(toName, to, from == null ? DType.F32 : from.dtype());
    Range.check(fromName + " axes", from.rank(), from.rank() >= 1, ">= 1");
    checks.rank(toName, to, from.rank());
    int last = from.rank() - 1;
    long[] expected = (pads ? from : to).shape();
    expected[last] = paddedLength(expected[last]);
    checks.shape("padded", pads ? to : from, expected);
    Engine engine = checks.done();
    if (from.elements() == 0 || to.elements() == 0) {
      return;
    }
    long rows = from.elements() / from.shape()[last];
    int fromBytes = Math.toIntExact(from.bytes() / rows);
    int toBytes = Math.toIntExact(to.bytes() / rows);
    int slab = (int) Math.max(1, Math.min(rows, COPIED_BYTES / Math.max(fromBytes, toBytes)));
    ByteBuffer in = ByteBuffer.allocateDirect(slab * fromBytes);
    ByteBuffer out = ByteBuffer.allocateDirect(slab * toBytes);
    for (long row = 0; row < rows; row += slab) {
      int n = (int) Math.min(slab, rows - row);
      engine.read(from, row * fromBytes, in.clear().limit(n * fromBytes));
      // What lies behind a row stays 0 from the start.
      for (int i = 0; i < n; i++) {
        out.put(i * toBytes, in, i * fromBytes, Math.min(fromBytes, toBytes));
      }
      engine.write(to, row * toBytes, out.clear().limit(n * toBytes));
    }
  }

  private void divides(String what, long length) {
    if (length % m != 0) {
      throw new IllegalArgumentException(
          what + " has " + length + " entries: expected a multiple of M = " + m);
    }
  }
}
