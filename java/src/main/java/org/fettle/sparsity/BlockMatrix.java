package org.fettle.sparsity;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.FormatKernels;
import org.fettle.internal.kernels.MaskKernels;

/**
 * A matrix of the blocks that hold any kept entry, row-major inside and padded with zeros at the
 * edges: block compressed rows (BSR) or blocked ELL, in which every block row has as many blocks as
 * the fullest one, padded with column -1 and zeros.
 */
public final class BlockMatrix implements AutoCloseable {
  private final Backend backend;
  private final long rows;
  private final long columns;
  private final int blockSize;
  private final Tensor rowPointers;
  private final Tensor blockColumns;
  private final Tensor blockRows;
  private final Tensor values;
  private final Scratch owned;

  private BlockMatrix(
      Backend backend,
      long rows,
      long columns,
      int blockSize,
      Tensor rowPointers,
      Tensor blockColumns,
      Tensor blockRows,
      Tensor values,
      Scratch owned) {
    this.backend = backend;
    this.rows = rows;
    this.columns = columns;
    this.blockSize = blockSize;
    this.rowPointers = rowPointers;
    this.blockColumns = blockColumns;
    this.blockRows = blockRows;
    this.values = values;
    this.owned = owned;
  }

  /**
   * Block compressed rows.
   *
   * @param blockSize &gt;= 1
   * @param mask BIT [rows, columns]
   * @param weight F32 of that shape; entries that the mask does not keep become 0
   */
  public static BlockMatrix compressedRows(
      Backend backend, int blockSize, Tensor mask, Tensor weight) {
    return of(backend, blockSize, mask, weight, false);
  }

  /** Blocked ELL. */
  public static BlockMatrix ell(Backend backend, int blockSize, Tensor mask, Tensor weight) {
    return of(backend, blockSize, mask, weight, true);
  }

  private static BlockMatrix of(
      Backend backend, int blockSize, Tensor mask, Tensor weight, boolean ell) {
    Range.check("block size", blockSize, blockSize >= 1, ">= 1");
    TensorChecks checks = new TensorChecks(backend).reads("mask", mask, DType.BIT);
    checks.rank("mask", mask, 2);
    checks.reads("weight", weight, DType.F32).like("weight", weight, mask);
    Engine engine = checks.done();
    long rows = mask.shape()[0];
    long columns = mask.shape()[1];
    int down = Math.toIntExact(Selector.units(rows, blockSize));
    int across = Math.toIntExact(Selector.units(columns, blockSize));
    byte[] flags;
    try (Scratch scratch = new Scratch(engine)) {
      Tensor found = scratch.tensor(DType.U8, down, across);
      engine.run(
          new KernelCall(FormatKernels.BLOCK_FLAGS)
              .arrays(mask, found)
              .integers(rows, columns, blockSize)
              .units(down, mask.elements()));
      flags = Scratch.bytes(engine, found);
    }
    int[] pointers = new int[down + 1];
    int widest = 0;
    for (int i = 0; i < down; i++) {
      int count = 0;
      for (int j = 0; j < across; j++) {
        count += flags[i * across + j];
      }
      pointers[i + 1] = pointers[i] + count;
      widest = Math.max(widest, count);
    }
    int blocks = ell ? Math.multiplyExact(down, widest) : pointers[down];
    int[] blockRows = new int[blocks];
    int[] blockColumns = new int[blocks];
    int at = 0;
    for (int i = 0; i < down; i++) {
      for (int j = 0; j < across; j++) {
        if (flags[i * across + j] != 0) {
          blockRows[at] = i;
          blockColumns[at++] = j;
        }
      }
      for (; ell && at < (i + 1) * widest; at++) {
        blockRows[at] = i;
        blockColumns[at] = -1;
      }
    }
    Scratch owned = new Scratch(engine);
    boolean done = false;
    try {
      Tensor pointersOf = ell ? null : owned.ints(pointers);
      Tensor columnsOf =
          ell ? owned.tensor(DType.I32, down, widest) : owned.tensor(DType.I32, blocks);
      Scratch.write(engine, columnsOf, blockColumns);
      Tensor rowsOf = owned.ints(blockRows);
      Tensor values =
          ell
              ? owned.tensor(DType.F32, down, widest, blockSize, blockSize)
              : owned.tensor(DType.F32, blocks, blockSize, blockSize);
      try (Scratch scratch = new Scratch(engine)) {
        Tensor pruned = scratch.tensor(DType.F32, rows, columns);
        engine.run(
            new KernelCall(MaskKernels.APPLY)
                .arrays(weight, mask, pruned)
                .integers(weight.elements(), 4)
                .units(
                    Selector.units(weight.elements(), MaskKernels.PACK_UNIT), weight.elements()));
        engine.run(
            new KernelCall(FormatKernels.BLOCK_FILL)
                .arrays(pruned, rowsOf, columnsOf, values)
                .integers(rows, columns, blockSize)
                .units(blocks, values.elements()));
      }
      done = true;
      return new BlockMatrix(
          backend, rows, columns, blockSize, pointersOf, columnsOf, rowsOf, values, owned);
    } finally {
      if (!done) {
        owned.close();
      }
    }
  }

  /** I32 [block rows + 1]: where each block row starts; null for ELL. */
  public Tensor rowPointers() {
    return rowPointers;
  }

  /** I32 [blocks], or [block rows, width] for ELL: the block column of each. */
  public Tensor blockColumns() {
    return blockColumns;
  }

  /** F32 [blocks, size, size], or [block rows, width, size, size] for ELL. */
  public Tensor values() {
    return values;
  }

  /** Writes the dense matrix, F32 [rows, columns]. */
  public void toDense(Tensor dense) {
    TensorChecks checks = new TensorChecks(backend).writes("dense", dense, DType.F32);
    checks.shape("dense", dense, rows, columns);
    checks.reads("values", values, DType.F32);
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      // A mask of zeros clears the matrix.
      Tensor nothing = scratch.tensor(DType.BIT, rows, columns);
      engine.run(
          new KernelCall(MaskKernels.APPLY)
              .arrays(dense, nothing, dense)
              .integers(dense.elements(), 4)
              .units(Selector.units(dense.elements(), MaskKernels.PACK_UNIT), dense.elements()));
    }
    engine.run(
        new KernelCall(FormatKernels.BLOCK_DENSE)
            .arrays(values, blockRows, blockColumns, dense)
            .integers(rows, columns, blockSize)
            .units(blockColumns.elements(), values.elements()));
  }

  /** Frees the matrix. */
  @Override
  public void close() {
    owned.close();
  }
}
