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
import org.fettle.internal.kernels.BlockMatrixKernels;
import org.fettle.internal.kernels.FormatKernels;
import org.fettle.internal.kernels.MaskKernels;

/**
 * A matrix of the blocks that hold any kept entry, row-major inside and padded with zeros at the
 * edges: block compressed rows (BSR) or blocked ELL, in which every block row has as many blocks as
 * the fullest one, padded with column -1 and zeros.
 *
 * <p>Products sum in double, in ascending order of what is summed over, and round once: the same
 * bits on every backend, and those of a {@link CsrMatrix} of the same weight wherever the other
 * factor is finite. All entries of a stored block count as there, so that a 0 among them times an
 * infinity or NaN is NaN; blocks that are not stored have no effect.
 *
 * <p>Index arrays are checked again by every method that follows them, as those of a {@link
 * CsrMatrix} are.
 */
public final class BlockMatrix implements AutoCloseable {
  private final Backend backend;
  private final long rows;
  private final long columns;
  private final int blockSize;
  private final boolean ell;
  private final Tensor blockColumns;
  private final Tensor blockRows;
  private final Tensor values;
  private final Tensor rowStarts;
  private final Index transposed;
  private final Scratch owned;

  /** The blocks by their columns: where each block column starts, their rows, which they are. */
  private record Index(Tensor starts, Tensor places, Tensor which) {}

  private BlockMatrix(
      Backend backend,
      long rows,
      long columns,
      int blockSize,
      boolean ell,
      Tensor rowStarts,
      Tensor blockColumns,
      Tensor blockRows,
      Tensor values,
      Index transposed,
      Scratch owned) {
    this.backend = backend;
    this.rows = rows;
    this.columns = columns;
    this.blockSize = blockSize;
    this.ell = ell;
    this.rowStarts = rowStarts;
    this.blockColumns = blockColumns;
    this.blockRows = blockRows;
    this.values = values;
    this.transposed = transposed;
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
      for (int i = 0; ell && i <= down; i++) {
        pointers[i] = i * widest;
      }
      Tensor startsOf = owned.ints(pointers);
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
          backend,
          rows,
          columns,
          blockSize,
          ell,
          startsOf,
          columnsOf,
          rowsOf,
          values,
          byColumns(owned, across, blockRows, blockColumns),
          owned);
    } finally {
      if (!done) {
        owned.close();
      }
    }
  }

  /** Padding is left out. */
  private static Index byColumns(Scratch owned, int across, int[] blockRows, int[] blockColumns) {
    int[] starts = new int[across + 1];
    for (int column : blockColumns) {
      if (column >= 0) {
        starts[column + 1]++;
      }
    }
    for (int i = 0; i < across; i++) {
      starts[i + 1] += starts[i];
    }
    int[] next = starts.clone();
    int[] places = new int[starts[across]];
    int[] which = new int[starts[across]];
    for (int p = 0; p < blockColumns.length; p++) {
      if (blockColumns[p] >= 0) {
        int at = next[blockColumns[p]]++;
        places[at] = blockRows[p];
        which[at] = p;
      }
    }
    return new Index(owned.ints(starts), owned.ints(places), owned.ints(which));
  }

  /** Rows. */
  public long rows() {
    return rows;
  }

  /** Columns. */
  public long columns() {
    return columns;
  }

  /** Rows and columns of a block. */
  public int blockSize() {
    return blockSize;
  }

  /** I32 [block rows + 1]: where each block row starts; null for ELL. */
  public Tensor rowPointers() {
    return ell ? null : rowStarts;
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
    Engine engine = indexed(checks.done());
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

  /**
   * The product {@code y = x W^T}.
   *
   * @param x F32 [batch, columns]
   * @param y F32 [batch, rows]
   */
  public void multiply(Tensor x, Tensor y) {
    Engine engine = indexed(checkProduct("x", x, columns, "y", y, rows));
    product(engine, new Index(rowStarts, blockColumns, null), x, y, blockSize, 1);
  }

  /**
   * The product {@code dx = dy W}, by the same blocks: nothing is transposed but an index that the
   * matrix keeps, 8 bytes per block.
   *
   * @param dy F32 [batch, rows]
   * @param dx F32 [batch, columns]
   */
  public void multiplyTransposed(Tensor dy, Tensor dx) {
    Engine engine = checkProduct("dy", dy, rows, "dx", dx, columns);
    product(engine, transposed, dy, dx, 1, blockSize);
  }

  /**
   * The product {@code dy^T x} for all entries of the stored blocks (SDDMM), also those that the
   * mask did not keep; zeros beyond the matrix and in the padding.
   *
   * @param dy F32 [batch, rows]
   * @param x F32 [batch, columns]
   * @param out F32 of the shape of {@link #values}; may be these
   */
  public void sample(Tensor dy, Tensor x, Tensor out) {
    TensorChecks checks = new TensorChecks(backend).reads("dy", dy, DType.F32).rank("dy", dy, 2);
    long batch = dy.shape()[0];
    checks.shape("dy", dy, batch, rows);
    checks.reads("x", x, DType.F32).shape("x", x, batch, columns);
    checks.reads("blockColumns", blockColumns, DType.I32);
    checks.writes("out", out, DType.F32).like("out", out, values);
    indexed(checks.done())
        .run(
            new KernelCall(BlockMatrixKernels.SAMPLED)
                .arrays(rowStarts, blockColumns, out, dy, x)
                .integers(batch, rows, columns, blockSize)
                .units((rowStarts.elements() - 1) * blockSize, batch * values.elements()));
  }

  private Engine indexed(Engine engine) {
    IndexCheck.rows(
        engine,
        rowStarts,
        "blockColumns",
        blockColumns,
        ell ? -1 : 0,
        Selector.units(columns, blockSize));
    return engine;
  }

  private Engine checkProduct(
      String inName, Tensor in, long width, String outName, Tensor out, long outWidth) {
    TensorChecks checks = new TensorChecks(backend);
    checks.reads("values", values, DType.F32).reads("blockColumns", blockColumns, DType.I32);
    checks.reads(inName, in, DType.F32).rank(inName, in, 2);
    long batch = in.shape()[0];
    checks.shape(inName, in, batch, width);
    checks.writes(outName, out, DType.F32).shape(outName, out, batch, outWidth);
    return checks.done();
  }

  private void product(Engine engine, Index index, Tensor in, Tensor out, int down, int across) {
    long batch = in.shape()[0];
    long outWidth = out.shape()[1];
    try (Scratch scratch = new Scratch(engine)) {
      Tensor packed = CsrMatrix.pack(engine, scratch, in);
      engine.run(
          new KernelCall(BlockMatrixKernels.PRODUCT)
              .arrays(index.starts(), index.places(), values, packed, out, index.which())
              .integers(batch, outWidth, in.shape()[1], blockSize, down, across)
              .units(
                  CsrMatrix.productUnits(batch, outWidth), batch * (values.elements() + outWidth)));
    }
  }

  /** Frees the matrix. */
  @Override
  public void close() {
    owned.close();
  }
}
