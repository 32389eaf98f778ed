package org.fettle.sparsity;

import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.CudaSparse;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.FormatKernels;
import org.fettle.internal.kernels.ProductKernels;

/**
 * A matrix in compressed rows: the entries that a mask keeps, a kept 0 too, columns ascending. 8
 * bytes per entry and 4 per row, so less than a dense matrix only below half density.
 *
 * <p>Products sum in double, in ascending order of what is summed over, and round once; entries
 * that are not there have no effect, whatever stands in the other factor.
 *
 * <p>Index arrays are checked again by every method that follows them, in a pass over 4 bytes per
 * entry: whoever has overwritten them gets an {@link IllegalArgumentException} that names the row.
 */
public final class CsrMatrix implements AutoCloseable {
  /** Whose kernel a product goes by. */
  public enum Library {
    /** Fettle's: sums in double in ascending order, the same bits on every backend. */
    FETTLE,
    /**
     * NVIDIA's cuSPARSE, on backend cuda: sums in float in an order of its own, so that a result
     * differs from Fettle's by at most {@code 2^-23} times the number of its terms and the sum of
     * their magnitudes. Needs libcusparse.so.12 of a CUDA 13 toolkit.
     */
    CUSPARSE
  }

  private final Backend backend;
  private final long rows;
  private final long columns;
  private final Tensor rowPointers;
  private final Tensor columnIndices;
  private final Tensor values;
  private final Scratch owned;

  private CsrMatrix(
      Backend backend,
      long rows,
      long columns,
      Tensor rowPointers,
      Tensor columnIndices,
      Tensor values,
      Scratch owned) {
    this.backend = backend;
    this.rows = rows;
    this.columns = columns;
    this.rowPointers = rowPointers;
    this.columnIndices = columnIndices;
    this.values = values;
    this.owned = owned;
  }

  /**
   * The entries of a weight that a mask keeps, in memory of its own, which {@link #close} frees.
   *
   * @param mask BIT [rows, columns]
   * @param weight F32 of that shape
   */
  public static CsrMatrix of(Backend backend, Tensor mask, Tensor weight) {
    TensorChecks checks = new TensorChecks(backend).reads("mask", mask, DType.BIT);
    checks.rank("mask", mask, 2);
    checks.reads("weight", weight, DType.F32).like("weight", weight, mask);
    long rows = mask.shape()[0];
    long columns = mask.shape()[1];
    Range.check("columns", columns, columns < Integer.MAX_VALUE, "< 2^31 - 1");
    Engine engine = checks.done();
    Scratch owned = new Scratch(engine);
    boolean done = false;
    try {
      int[] pointers = new int[Math.toIntExact(rows) + 1];
      try (Scratch scratch = new Scratch(engine)) {
        Tensor counts = scratch.tensor(DType.I32, rows);
        engine.run(
            new KernelCall(FormatKernels.CSR_COUNT)
                .arrays(mask, counts)
                .integers(columns)
                .units(rows, mask.elements()));
        int[] all = scratch.ints(counts);
        long total = 0;
        for (int i = 0; i < all.length; i++) {
          total += all[i];
          Range.check("entries", total, total < Integer.MAX_VALUE, "< 2^31");
          pointers[i + 1] = (int) total;
        }
      }
      Tensor rowPointers = owned.ints(pointers);
      Tensor columnIndices = owned.tensor(DType.I32, pointers[pointers.length - 1]);
      Tensor values = owned.tensor(DType.F32, pointers[pointers.length - 1]);
      engine.run(
          new KernelCall(FormatKernels.CSR_FILL)
              .arrays(mask, weight, rowPointers, columnIndices, values)
              .integers(columns)
              .units(rows, mask.elements()));
      done = true;
      return new CsrMatrix(backend, rows, columns, rowPointers, columnIndices, values, owned);
    } finally {
      if (!done) {
        owned.close();
      }
    }
  }

  /**
   * A view of the caller's arrays.
   *
   * @param rowPointers I32 [rows + 1], from 0, monotone
   * @param columnIndices I32 [entries], ascending within a row
   * @param values F32 [entries]
   * @throws IllegalArgumentException if pointers are not monotone or do not end at the number of
   *     entries, or a column is out of range, repeated or out of order
   */
  public static CsrMatrix view(
      Backend backend, long columns, Tensor rowPointers, Tensor columnIndices, Tensor values) {
    TensorChecks checks = new TensorChecks(backend).reads("rowPointers", rowPointers, DType.I32);
    checks.rank("rowPointers", rowPointers, 1);
    checks.reads("columnIndices", columnIndices, DType.I32);
    checks.rank("columnIndices", columnIndices, 1);
    checks.writes("values", values, DType.F32).like("values", values, columnIndices);
    Range.check("rowPointers", rowPointers.elements(), rowPointers.elements() > 0, "at least one");
    Engine engine = checks.done();
    int[] pointers = Scratch.ints(engine, rowPointers);
    int[] places = Scratch.ints(engine, columnIndices);
    if (pointers[0] != 0 || pointers[pointers.length - 1] != places.length) {
      throw new IllegalArgumentException(
          "rowPointers goes from "
              + pointers[0]
              + " to "
              + pointers[pointers.length - 1]
              + ": expected 0 to "
              + places.length
              + ", the entries");
    }
    for (int row = 0; row + 1 < pointers.length; row++) {
      if (pointers[row + 1] < pointers[row] || pointers[row + 1] > places.length) {
        throw new IllegalArgumentException(
            "rowPointers is "
                + pointers[row + 1]
                + " after "
                + pointers[row]
                + ": expected monotone");
      }
      for (int p = pointers[row]; p < pointers[row + 1]; p++) {
        boolean ascends = p == pointers[row] || places[p] > places[p - 1];
        if (places[p] < 0 || places[p] >= columns || !ascends) {
          throw new IllegalArgumentException(
              "columnIndices has "
                  + places[p]
                  + " in row "
                  + row
                  + ": expected ascending columns from 0 to "
                  + (columns - 1));
        }
      }
    }
    long rows = pointers.length - 1L;
    return new CsrMatrix(backend, rows, columns, rowPointers, columnIndices, values, null);
  }

  /** Rows. */
  public long rows() {
    return rows;
  }

  /** Columns. */
  public long columns() {
    return columns;
  }

  /** I32 [rows + 1]: where each row starts. */
  public Tensor rowPointers() {
    return rowPointers;
  }

  /** I32 [entries]: the column of each. */
  public Tensor columnIndices() {
    return columnIndices;
  }

  /** F32 [entries]: the value of each. */
  public Tensor values() {
    return values;
  }

  /** Writes the dense matrix, zeros where there is no entry. */
  public void toDense(Tensor dense) {
    TensorChecks checks = checks().writes("dense", dense, DType.F32);
    checks.shape("dense", dense, rows, columns);
    indexed(checks.done())
        .run(
            new KernelCall(FormatKernels.CSR_DENSE)
                .arrays(rowPointers, columnIndices, values, dense)
                .integers(columns)
                .units(rows, dense.elements()));
  }

  /** Writes the mask of the entries, BIT [rows, columns]. */
  public void toMask(Tensor mask) {
    TensorChecks checks = checks().writes("mask", mask, DType.BIT);
    checks.shape("mask", mask, rows, columns);
    Engine engine = indexed(checks.done());
    int[] pointers = Scratch.ints(engine, rowPointers);
    int[] places = Scratch.ints(engine, columnIndices);
    byte[] bits = new byte[Math.toIntExact(mask.bytes())];
    for (int row = 0; row < rows; row++) {
      for (int p = pointers[row]; p < pointers[row + 1]; p++) {
        long at = row * columns + places[p];
        bits[(int) (at / 8)] |= (byte) (1 << at % 8);
      }
    }
    Scratch.write(engine, mask, bits);
  }

  /** The transposed matrix, in memory of its own. */
  public CsrMatrix transposed() {
    Engine engine = indexed(checks().done());
    int[] pointers = Scratch.ints(engine, rowPointers);
    int[] places = Scratch.ints(engine, columnIndices);
    float[] old = Scratch.floats(engine, values);
    int[] starts = new int[Math.toIntExact(columns) + 1];
    for (int place : places) {
      starts[place + 1]++;
    }
    for (int i = 0; i < columns; i++) {
      starts[i + 1] += starts[i];
    }
    int[] next = starts.clone();
    int[] of = new int[places.length];
    float[] moved = new float[places.length];
    for (int row = 0; row < rows; row++) {
      for (int p = pointers[row]; p < pointers[row + 1]; p++) {
        int at = next[places[p]]++;
        of[at] = row;
        moved[at] = old[p];
      }
    }
    Scratch memory = new Scratch(engine);
    Tensor newPointers = memory.ints(starts);
    Tensor newColumns = memory.ints(of);
    Tensor newValues = memory.tensor(DType.F32, moved.length);
    Scratch.write(engine, newValues, moved);
    return new CsrMatrix(backend, columns, rows, newPointers, newColumns, newValues, memory);
  }

  /**
   * The product {@code y = x W^T}.
   *
   * @param x F32 [batch, columns]
   * @param y F32 [batch, rows]
   */
  public void multiply(Tensor x, Tensor y) {
    TensorChecks checks = checks().reads("x", x, DType.F32).rank("x", x, 2);
    long batch = x.shape()[0];
    checks.shape("x", x, batch, columns);
    checks.writes("y", y, DType.F32).shape("y", y, batch, rows);
    Engine engine = indexed(checks.done());
    try (Scratch scratch = new Scratch(engine)) {
      Tensor packed = pack(engine, scratch, x);
      engine.run(
          new KernelCall(ProductKernels.CSR)
              .arrays(rowPointers, columnIndices, values, packed, y)
              .integers(batch, rows, columns)
              .units(productUnits(batch, rows), batch * (values.elements() + rows)));
    }
  }

  /**
   * The product {@code y = x W^T} by a library's kernel.
   *
   * @throws IllegalArgumentException for CUSPARSE on another backend than cuda
   * @throws IllegalStateException if cuSPARSE is not there; the message says what to add
   */
  public void multiply(Library library, Tensor x, Tensor y) {
    if (Objects.requireNonNull(library, "library") == Library.FETTLE) {
      multiply(x, y);
    } else {
      byCusparse(false, "x", x, columns, "y", y, rows);
    }
  }

  /**
   * The product {@code dx = dy W} by a library's kernel; cuSPARSE does not transpose the matrix
   * first.
   *
   * @throws IllegalArgumentException for CUSPARSE on another backend than cuda
   * @throws IllegalStateException if cuSPARSE is not there; the message says what to add
   */
  public void multiplyTransposed(Library library, Tensor dy, Tensor dx) {
    if (Objects.requireNonNull(library, "library") == Library.FETTLE) {
      multiplyTransposed(dy, dx);
    } else {
      byCusparse(true, "dy", dy, rows, "dx", dx, columns);
    }
  }

  private void byCusparse(
      boolean transposed,
      String inName,
      Tensor in,
      long width,
      String outName,
      Tensor out,
      long outWidth) {
    TensorChecks checks = checks().reads(inName, in, DType.F32).rank(inName, in, 2);
    long batch = in.shape()[0];
    checks.shape(inName, in, batch, width);
    checks.writes(outName, out, DType.F32).shape(outName, out, batch, outWidth);
    CudaSparse.of(indexed(checks.done()))
        .multiply(rows, columns, transposed, rowPointers, columnIndices, values, in, out);
  }

  /**
   * The product {@code dx = dy W}. Transposes the matrix first; who needs that often keeps {@link
   * #transposed}.
   *
   * @param dy F32 [batch, rows]
   * @param dx F32 [batch, columns]
   */
  public void multiplyTransposed(Tensor dy, Tensor dx) {
    TensorChecks checks = checks().reads("dy", dy, DType.F32).rank("dy", dy, 2);
    checks.shape("dy", dy, dy.shape()[0], rows);
    checks.writes("dx", dx, DType.F32).shape("dx", dx, dy.shape()[0], columns).done();
    try (CsrMatrix transposed = transposed()) {
      transposed.multiply(dy, dx);
    }
  }

  /**
   * The product {@code dy^T x} where there are entries only (SDDMM).
   *
   * @param dy F32 [batch, rows]
   * @param x F32 [batch, columns]
   * @param out F32 [entries]; may be {@link #values}
   */
  public void sample(Tensor dy, Tensor x, Tensor out) {
    TensorChecks checks = new TensorChecks(backend).reads("dy", dy, DType.F32).rank("dy", dy, 2);
    long batch = dy.shape()[0];
    checks.reads("rowPointers", rowPointers, DType.I32);
    checks.reads("columnIndices", columnIndices, DType.I32);
    checks.shape("dy", dy, batch, rows);
    checks.reads("x", x, DType.F32).shape("x", x, batch, columns);
    checks.writes("out", out, DType.F32).like("out", out, values);
    indexed(checks.done())
        .run(
            new KernelCall(ProductKernels.SAMPLED)
                .arrays(rowPointers, columnIndices, out, dy, x)
                .integers(batch, rows, columns)
                .units(rows, batch * values.elements()));
  }

  static Tensor pack(Engine engine, Scratch scratch, Tensor x) {
    long batch = x.shape()[0];
    long columns = x.shape()[1];
    long tiles = Selector.units(batch, ProductKernels.TILE);
    Tensor packed = scratch.tensor(DType.F32, tiles, columns, ProductKernels.TILE);
    engine.run(
        new KernelCall(ProductKernels.PACK)
            .arrays(x, packed)
            .integers(batch, columns)
            .units(tiles, packed.elements()));
    return packed;
  }

  static long productUnits(long batch, long rows) {
    return Selector.units(batch, ProductKernels.TILE) * Selector.units(rows, ProductKernels.ROWS);
  }

  private Engine indexed(Engine engine) {
    IndexCheck.rows(engine, rowPointers, "columnIndices", columnIndices, 0, columns);
    return engine;
  }

  private TensorChecks checks() {
    TensorChecks checks = new TensorChecks(Objects.requireNonNull(backend));
    checks.reads("rowPointers", rowPointers, DType.I32);
    checks.reads("columnIndices", columnIndices, DType.I32);
    return checks.reads("values", values, DType.F32);
  }

  /** Frees what {@link #of} and {@link #transposed} have allocated. */
  @Override
  public void close() {
    if (owned != null) {
      owned.close();
    }
  }
}
