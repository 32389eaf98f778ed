package org.fettle.sparsity;

import java.util.Objects;
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
import org.fettle.internal.kernels.HalfProductKernels;
import org.fettle.internal.kernels.ProductKernels;

/**
 * The 2:4 compressed format: of every four consecutive entries of a row the two that are kept, and
 * where they stood, two bits each. Codes are U8 [rows, columns / 8], two quads per byte, the first
 * in the low nibble; the position of the first kept entry stands in the lower two bits.
 *
 * <p>Quads with less than two entries that are not 0 are filled up by the table of PyTorch and
 * CUTLASS. cuSPARSELt's buffer is opaque and is not read or written here.
 */
public final class Semi24 {
  /** How codes are laid out. */
  public enum Layout {
    /** Row-major, any element format. */
    CANONICAL,
    /**
     * Reordered for CUTLASS, in words of 16 bits for F16 and BF16 and of 32 for I8. Needs a
     * multiple of 32 rows and an even number of words per row.
     */
    CUTLASS
  }

  private static final DType[] ELEMENTS = {DType.F32, DType.F16, DType.BF16, DType.I8};

  private final Backend backend;

  private Semi24(Backend backend) {
    this.backend = backend;
  }

  /** The format on a backend. */
  public static Semi24 on(Backend backend) {
    return new Semi24(Objects.requireNonNull(backend, "backend"));
  }

  /**
   * Compresses a matrix.
   *
   * @param dense F32 (canonical only), F16, BF16 or I8 [rows, columns]; columns a multiple of 8
   * @param mask BIT of its shape: what is kept; null for what is not 0
   * @param values [rows, columns / 2] of its format
   * @param codes U8 [rows, columns / 8]
   * @throws IllegalArgumentException if a quad keeps more than two, before anything is written
   */
  public void compress(Tensor dense, Tensor mask, Tensor values, Tensor codes, Layout layout) {
    TensorChecks checks = new TensorChecks(backend).reads("dense", dense, ELEMENTS);
    if (mask != null) {
      checks.reads("mask", mask, DType.BIT).like("mask", mask, dense);
    }
    checks.rank("dense", dense, 2);
    checks.writes("values", values, dense.dtype()).writes("codes", codes, DType.U8);
    sizes(checks, dense, values, codes, layout);
    Engine engine = checks.done();
    long rows = dense.shape()[0];
    long columns = dense.shape()[1];
    try (Scratch scratch = new Scratch(engine)) {
      Tensor wrong = scratch.tensor(DType.I64, rows);
      Tensor trial = scratch.tensor(dense.dtype(), rows, columns / 2);
      KernelCall call =
          new KernelCall(FormatKernels.SEMI24_COMPRESS)
              .arrays(dense, mask, trial, scratch.tensor(DType.U8, rows, columns / 8), wrong)
              .integers(columns, dense.dtype().bits())
              .units(rows, dense.elements());
      engine.run(call);
      long bad = 0;
      for (long count : scratch.longs(wrong)) {
        bad += count;
      }
      if (bad != 0) {
        throw new IllegalArgumentException(
            "dense has " + bad + " quads that keep more than two entries: expected at most two");
      }
      engine.run(call.array(2, values).array(3, codes));
      if (layout == Layout.CUTLASS) {
        reorder(engine, codes, codes, dense.dtype(), true);
      }
    }
  }

  /**
   * Back to a matrix, zeros elsewhere.
   *
   * @throws IllegalArgumentException if the second position of a pair is not behind the first
   */
  public void decompress(Tensor values, Tensor codes, Layout layout, Tensor dense) {
    TensorChecks checks = new TensorChecks(backend).reads("values", values, ELEMENTS);
    checks.reads("codes", codes, DType.U8).writes("dense", dense, values.dtype());
    checks.rank("dense", dense, 2);
    sizes(checks, dense, values, codes, layout);
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      Tensor canonical = canonical(engine, scratch, codes, values.dtype(), layout);
      checkOrder(engine, canonical);
      engine.run(
          new KernelCall(FormatKernels.SEMI24_DECOMPRESS)
              .arrays(values, canonical, dense)
              .integers(dense.shape()[1], dense.dtype().bits())
              .units(dense.shape()[0], dense.elements()));
    }
  }

  /**
   * The product {@code y = x W^T}; what is pruned has no effect, whatever stands in x.
   *
   * <p>F32: per result a sum in double in the order of the columns, rounded once, the same on every
   * backend. F16 and BF16: the same sum on backends java and cpu, rounded to float and then to y's
   * format; on cuda the sparse tensor cores sum in float in an order of their own, so that a result
   * differs from that by at most {@code max(32, columns) * 2^-23} of the sum of the terms'
   * magnitudes before it is rounded to y's format, and sums beyond float's range become infinite.
   *
   * @param values F32, F16 or BF16 [rows, columns / 2]
   * @param codes U8 [rows, columns / 8], canonical
   * @param x of the values' format [batch, columns]
   * @param y F32, or of the values' format [batch, rows]
   * @throws IllegalArgumentException if a tensor does not fit or, for F16 and BF16, the second
   *     position of a pair is not behind the first; nothing was written
   */
  public void multiply(Tensor values, Tensor codes, Tensor x, Tensor y) {
    multiply(values, codes, Layout.CANONICAL, x, y);
  }

  /**
   * The same with codes of either layout: those of {@link Layout#CUTLASS} are what the tensor cores
   * take. F32 values have canonical codes only.
   */
  public void multiply(Tensor values, Tensor codes, Layout layout, Tensor x, Tensor y) {
    Objects.requireNonNull(layout, "layout");
    TensorChecks checks =
        new TensorChecks(backend).reads("values", values, DType.F32, DType.F16, DType.BF16);
    checks.rank("values", values, 2).reads("x", x, values.dtype()).rank("x", x, 2);
    long rows = values.shape()[0];
    long columns = x.shape()[1];
    long batch = x.shape()[0];
    checks.reads("codes", codes, DType.U8);
    if (values.dtype() == DType.F32) {
      checks.writes("y", y, DType.F32);
    } else {
      checks.writes("y", y, DType.F32, values.dtype());
    }
    Range.check("columns", columns, columns % 8 == 0, "a multiple of 8");
    checks.shape("values", values, rows, columns / 2).shape("codes", codes, rows, columns / 8);
    checks.shape("y", y, batch, rows);
    if (layout == Layout.CUTLASS) {
      cutlassSizes(rows, columns, values.dtype());
    }
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      if (values.dtype() == DType.F32) {
        Tensor packed = CsrMatrix.pack(engine, scratch, x);
        engine.run(
            new KernelCall(ProductKernels.SEMI24)
                .arrays(values, codes, null, packed, y)
                .integers(batch, rows, columns)
                .units(CsrMatrix.productUnits(batch, rows), batch * values.elements()));
        return;
      }
      Tensor words = words(engine, scratch, codes, layout);
      engine.run(
          new KernelCall(HalfProductKernels.PRODUCT)
              .arrays(values, words, x, y)
              .integers(batch, rows, columns)
              .units(CsrMatrix.productUnits(batch, rows), batch * values.elements()));
    }
  }

  /** Codes as the product of 16-bit elements reads them, after a look at every pair. */
  private static Tensor words(Engine engine, Scratch scratch, Tensor codes, Layout layout) {
    long rows = codes.shape()[0];
    long columns = 8 * codes.shape()[1];
    long groups = Selector.units(rows, HalfProductKernels.WORD_ROWS);
    long steps = Selector.units(columns, HalfProductKernels.WORD_COLUMNS);
    Tensor words = scratch.tensor(DType.I32, steps, groups * HalfProductKernels.WORD_ROWS);
    Tensor wrong = scratch.tensor(DType.I64, groups);
    engine.run(
        new KernelCall(HalfProductKernels.WORDS)
            .arrays(codes, words, wrong)
            .integers(rows, columns, layout == Layout.CUTLASS ? 1 : 0)
            .units(groups, words.elements()));
    long bad = 0;
    for (long count : scratch.longs(wrong)) {
      bad += count;
    }
    if (bad != 0) {
      throw new IllegalArgumentException(
          "codes has " + bad + " pairs of positions that do not ascend: expected ascending ones");
    }
    return words;
  }

  /**
   * The position, 0 to 3, of every value.
   *
   * @param codes canonical
   * @param positions U8 [rows, columns / 2]
   */
  public void positions(Tensor codes, Tensor positions) {
    TensorChecks checks = new TensorChecks(backend).reads("codes", codes, DType.U8);
    checks.rank("codes", codes, 2).writes("positions", positions, DType.U8);
    checks.shape("positions", positions, codes.shape()[0], 4 * codes.shape()[1]);
    Engine engine = checks.done();
    byte[] in = Scratch.bytes(engine, codes);
    byte[] out = new byte[4 * in.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (byte) (in[i / 4] >> (2 * (i % 4)) & 3);
    }
    Scratch.write(engine, positions, out);
  }

  /** Canonical codes to those of CUTLASS for elements of a format. */
  public void toCutlass(Tensor canonical, Tensor cutlass, DType elements) {
    reorder(canonical, cutlass, elements, true);
  }

  /** Codes of CUTLASS for elements of a format to canonical ones. */
  public void fromCutlass(Tensor cutlass, Tensor canonical, DType elements) {
    reorder(cutlass, canonical, elements, false);
  }

  private void reorder(Tensor from, Tensor to, DType elements, boolean forward) {
    TensorChecks checks = new TensorChecks(backend).maps("codes", from, "codes out", to, DType.U8);
    checks.rank("codes", from, 2).like("codes out", to, from);
    cutlassSizes(from.shape()[0], 8 * from.shape()[1], elements);
    reorder(checks.done(), from, to, elements, forward);
  }

  private static void sizes(
      TensorChecks checks, Tensor dense, Tensor values, Tensor codes, Layout layout) {
    long rows = dense.shape()[0];
    long columns = dense.shape()[1];
    Range.check("columns", columns, columns % 8 == 0, "a multiple of 8");
    checks.shape("values", values, rows, columns / 2);
    checks.shape("codes", codes, rows, columns / 8);
    if (layout == Layout.CUTLASS) {
      cutlassSizes(rows, columns, dense.dtype());
    }
  }

  private static int wordBytes(DType elements) {
    return elements == DType.I8 ? 4 : 2;
  }

  private static void cutlassSizes(long rows, long columns, DType elements) {
    if (elements == DType.F32) {
      throw new IllegalArgumentException(
          "elements are F32: expected F16, BF16 or I8 for the layout of CUTLASS");
    }
    Range.check("rows", rows, rows % 32 == 0, "a multiple of 32 for the layout of CUTLASS");
    long perPair = 16L * wordBytes(elements);
    Range.check(
        "columns",
        columns,
        columns % perPair == 0,
        "a multiple of " + perPair + ", an even number of words, for the layout of CUTLASS");
  }

  private static Tensor canonical(
      Engine engine, Scratch scratch, Tensor codes, DType elements, Layout layout) {
    if (layout == Layout.CANONICAL) {
      return codes;
    }
    Tensor canonical = scratch.tensor(DType.U8, codes.shape());
    reorder(engine, codes, canonical, elements, false);
    return canonical;
  }

  private static void checkOrder(Engine engine, Tensor codes) {
    for (byte code : Scratch.bytes(engine, codes)) {
      for (int shift = 0; shift < 8; shift += 4) {
        int nibble = code >> shift & 15;
        if (nibble >> 2 <= (nibble & 3)) {
          throw new IllegalArgumentException(
              "codes has positions "
                  + (nibble & 3)
                  + " and "
                  + (nibble >> 2)
                  + " in a quad: expected ascending ones");
        }
      }
    }
  }

  private static void reorder(
      Engine engine, Tensor from, Tensor to, DType elements, boolean forward) {
    int width = wordBytes(elements);
    int rows = Math.toIntExact(from.shape()[0]);
    int words = Math.toIntExact(from.shape()[1] / width);
    int group = width == 2 ? 32 : 16;
    int interleave = width == 2 ? 4 : 2;
    byte[] in = Scratch.bytes(engine, from);
    byte[] out = new byte[in.length];
    for (int row = 0; row < rows; row++) {
      for (int word = 0; word < words; word++) {
        int r = row / group * group + row % 8 * interleave + row % group / 8;
        int c = word;
        if (r % 2 == 0 && c % 2 == 1) {
          r++;
          c--;
        } else if (r % 2 == 1 && c % 2 == 0) {
          r--;
          c++;
        }
        int place = c / 2 * 2 * rows + 2 * r + c % 2;
        int plain = row * words + word;
        int source = forward ? plain : place;
        int target = forward ? place : plain;
        System.arraycopy(in, source * width, out, target * width, width);
      }
    }
    Scratch.write(engine, to, out);
  }
}
