package org.fettle;

import java.util.Objects;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.ProductPath;
import org.fettle.internal.kernels.IntegerProductKernels;

/**
 * Products of INT8 matrices: {@code left [rows, depth] * right [columns, depth]^T}. The sums are
 * exact, in 32 bits, so every backend gives the same. The gradients of a linear layer are the same
 * product of transposed codes, which {@link Quantizer} writes in the same pass ({@link
 * Quantized#withTransposed}).
 *
 * <p>Results in F32 are {@code ((float(sum) * column scale) * row scale) + bias}, each operation
 * rounded once; results in I8 are that times {@link Epilogue#multiplier}, rounded to nearest and
 * limited to [-128, 127].
 *
 * <p>The property {@code fettle.gemm} forces the instructions of backend cpu-v4: {@code avx2},
 * {@code vnni} or {@code amx}; a forced one that is missing makes {@link #multiply} throw.
 */
public final class IntegerProduct {
  /** The largest depth whose sums fit 32 bits, whatever the codes. */
  public static final long MAX_DEPTH = 131071;

  private final Backend backend;

  private IntegerProduct(Backend backend) {
    this.backend = Objects.requireNonNull(backend, "backend");
  }

  /**
   * What becomes of the sums. Each part may be missing (null).
   *
   * @param rowScales F32 [rows], or [1] for all
   * @param columnScales F32 [columns], or [1] for all
   * @param bias F32 [columns]
   * @param zeroPoint of the left operand: {@code sum - zeroPoint * (sum of the right operand's
   *     row)}, in 32 bits
   * @param multiplier what an I8 result is multiplied by, 1 / its scale; 1 for other results
   */
  public record Epilogue(
      Tensor rowScales, Tensor columnScales, Tensor bias, int zeroPoint, double multiplier) {
    /** Nothing. */
    public static final Epilogue NONE = new Epilogue(null, null, null, 0, 1);

    /** Checks the numbers. */
    public Epilogue {
      Range.check("zero point", zeroPoint, zeroPoint >= -128 && zeroPoint <= 255, "in -128..255");
      Range.finite("multiplier", multiplier);
    }

    /** Scales of rows and columns. */
    public static Epilogue scales(Tensor rowScales, Tensor columnScales) {
      return new Epilogue(rowScales, columnScales, null, 0, 1);
    }

    /** With a bias. */
    public Epilogue withBias(Tensor newBias) {
      return new Epilogue(rowScales, columnScales, newBias, zeroPoint, multiplier);
    }

    /** With a zero point of the left operand. */
    public Epilogue withZeroPoint(int newZeroPoint) {
      return new Epilogue(rowScales, columnScales, bias, newZeroPoint, multiplier);
    }

    /** With requantization: the result is I8. */
    public Epilogue withMultiplier(double newMultiplier) {
      return new Epilogue(rowScales, columnScales, bias, zeroPoint, newMultiplier);
    }
  }

  /** Products on that backend. */
  public static IntegerProduct on(Backend backend) {
    return new IntegerProduct(backend);
  }

  /**
   * Multiplies.
   *
   * @param left I8 [rows, depth]
   * @param right I8 [columns, depth]
   * @param epilogue what becomes of the sums; scales and bias are left out of an I32 result
   * @param result I32, F32 or I8 [rows, columns]
   * @throws IllegalArgumentException for a tensor that does not fit; nothing was written
   */
  public void multiply(Tensor left, Tensor right, Epilogue epilogue, Tensor result) {
    Objects.requireNonNull(epilogue, "epilogue");
    Objects.requireNonNull(result, "result");
    FormatChecks checks =
        new FormatChecks(backend).reads("left", left, DType.I8).reads("right", right, DType.I8);
    FormatChecks.matrix("left", left);
    FormatChecks.matrix("right", right);
    long rows = left.shape()[0];
    long columns = right.shape()[0];
    long depth = left.shape()[1];
    FormatChecks.shape("right", right, columns, depth);
    Range.check("depth", depth, depth <= MAX_DEPTH, "<= " + MAX_DEPTH);
    DType dtype = result.dtype();
    if (dtype != DType.I32 && dtype != DType.F32 && dtype != DType.I8) {
      throw new IllegalArgumentException("result is " + dtype + ": expected I32, F32 or I8");
    }
    checks.writes("result", result, dtype);
    FormatChecks.shape("result", result, rows, columns);
    checks.readsIfThere(
        "row scales", epilogue.rowScales(), DType.F32, orOne(epilogue.rowScales(), rows));
    checks.readsIfThere(
        "column scales",
        epilogue.columnScales(),
        DType.F32,
        orOne(epilogue.columnScales(), columns));
    checks.readsIfThere("bias", epilogue.bias(), DType.F32, columns);
    checks.done();
    if (result.elements() == 0) {
      return;
    }
    boolean cpu = backend.name().startsWith("cpu");
    ProductPath path = cpu ? ProductPath.of(backend) : ProductPath.AVX2;
    Engine engine = backend.engine();
    KernelCall call =
        new KernelCall(IntegerProductKernels.INTEGER)
            .arrays(
                left, null, result, epilogue.rowScales(), epilogue.columnScales(), epilogue.bias())
            .integers(
                rows,
                columns,
                depth,
                epilogue.zeroPoint(),
                path.code(),
                stride(epilogue.rowScales()),
                stride(epilogue.columnScales()))
            .numbers(epilogue.multiplier())
            .units(
                IntegerProductKernels.covers(rows, IntegerProductKernels.ROWS)
                    * IntegerProductKernels.covers(columns, IntegerProductKernels.COLUMNS),
                work(rows, columns, depth));
    if (cpu && path != ProductPath.AMX && rows <= IntegerProductKernels.ROWS) {
      // Every part of the right operand is used by one unit, which packs it.
      engine.run(call.array(7, right));
      return;
    }
    long panels = IntegerProductKernels.covers(columns, IntegerProductKernels.PANEL_ROWS);
    Tensor packed = null;
    Tensor sums = null;
    try {
      packed =
          engine.borrow(DType.U8, Math.max(1, panels * IntegerProductKernels.panelBytes(depth)));
      sums = engine.borrow(DType.I32, columns);
      engine.run(
          new KernelCall(IntegerProductKernels.PACK)
              .arrays(right, packed, sums)
              .integers(columns, depth)
              .units(panels, right.elements()));
      engine.run(call.array(1, packed).array(6, sums));
    } finally {
      engine.giveBack(packed);
      engine.giveBack(sums);
    }
  }

  private static long orOne(Tensor scales, long count) {
    return scales != null && scales.elements() == 1 ? 1 : count;
  }

  private static long stride(Tensor scales) {
    return scales != null && scales.elements() == 1 ? 0 : 1;
  }

  /** Products as the elements of a step that take as long. */
  static long work(long rows, long columns, long depth) {
    double products = (double) rows * columns * Math.max(1, depth);
    return (long) Math.min(products / 16, 1e18);
  }
}
