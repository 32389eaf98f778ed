package org.fettle;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.IntegerProductKernels;

/**
 * A linear layer, {@code y = x w^T + bias}, whose products are INT8; parameters and gradients are
 * F32. Every operand of a product has one scale per row of the contraction, or one in all, so that
 * the scales factor out of exact sums.
 *
 * <p>{@link Recipe#MIXED} is pytorch/ao's INT8 mixed precision training: {@code y} from rows of x
 * and rows of w, {@code dx} from rows of g and columns of w, {@code dw} from columns of g and
 * columns of x. {@link Recipe#SWITCHBACK} (arXiv 2304.13013): {@code y} from rows of x and w with
 * one scale, {@code dx} from rows of g and w with one scale, {@code dw = g^T x} in full precision
 * (products of F32 summed in double, in the order of the rows).
 */
public final class Int8Linear {
  private final Backend backend;
  private final Recipe recipe;
  private final Quantizer quantizer;

  private Int8Linear(Backend backend, Recipe recipe, Quantizer quantizer) {
    this.backend = backend;
    this.recipe = recipe;
    this.quantizer = quantizer;
  }

  /** What is quantized how. */
  public enum Recipe {
    /** INT8 mixed precision training. */
    MIXED,
    /** SwitchBack. */
    SWITCHBACK
  }

  /** A layer on that backend, rounding to nearest. */
  public static Int8Linear on(Backend backend, Recipe recipe) {
    return new Int8Linear(
        Objects.requireNonNull(backend, "backend"),
        Objects.requireNonNull(recipe, "recipe"),
        Quantizer.on(backend));
  }

  /** With another way to round, see {@link Quantizer#stochastic}. */
  public Int8Linear quantizer(Quantizer newQuantizer) {
    return new Int8Linear(backend, recipe, Objects.requireNonNull(newQuantizer, "quantizer"));
  }

  /** How an operand of {@link #forward} or {@link #inputGradient} is quantized. */
  public IntegerFormat format(ScaleGrid grid) {
    return recipe == Recipe.MIXED
        ? new IntegerFormat(8, IntegerFormat.Scheme.TRAINING, grid)
        : IntegerFormat.int8(grid);
  }

  /**
   * The layer's output.
   *
   * @param x F32 [tokens, inputs]
   * @param w F32 [outputs, inputs]
   * @param bias F32 [outputs], or null
   * @param y F32 [tokens, outputs], written
   */
  public void forward(Tensor x, Tensor w, Tensor bias, Tensor y) {
    checkOperands("x", x, "w", w, "y", y);
    FormatChecks.shape("w", w, w.shape()[0], x.shape()[1]);
    FormatChecks.shape("y", y, x.shape()[0], w.shape()[0]);
    new FormatChecks(backend)
        .readsIfThere("bias", bias, DType.F32, w.shape()[0])
        .writes("y", y, DType.F32)
        .done();
    try (Scratch scratch = new Scratch()) {
      Operand left = scratch.rows(x, ScaleGrid.ROW);
      Operand right = scratch.rows(w, weightGrid(ScaleGrid.ROW));
      scratch.multiply(left, right, bias, y);
    }
  }

  /**
   * The gradient of the input, {@code g w}.
   *
   * @param g F32 [tokens, outputs], the gradient of the output
   * @param w F32 [outputs, inputs]
   * @param dx F32 [tokens, inputs], written
   */
  public void inputGradient(Tensor g, Tensor w, Tensor dx) {
    checkOperands("g", g, "w", w, "dx", dx);
    FormatChecks.shape("w", w, g.shape()[1], w.shape()[1]);
    FormatChecks.shape("dx", dx, g.shape()[0], w.shape()[1]);
    try (Scratch scratch = new Scratch()) {
      Operand left = scratch.rows(g, ScaleGrid.ROW);
      Operand right = scratch.columns(w, weightGrid(ScaleGrid.COLUMN));
      scratch.multiply(left, right, null, dx);
    }
  }

  /**
   * The gradient of the weight, {@code g^T x}.
   *
   * @param g F32 [tokens, outputs], the gradient of the output
   * @param x F32 [tokens, inputs]
   * @param dw F32 [outputs, inputs], written
   */
  public void weightGradient(Tensor g, Tensor x, Tensor dw) {
    checkOperands("g", g, "x", x, "dw", dw);
    FormatChecks.shape("x", x, g.shape()[0], x.shape()[1]);
    FormatChecks.shape("dw", dw, g.shape()[1], x.shape()[1]);
    if (recipe == Recipe.SWITCHBACK) {
      long rows = g.shape()[1];
      long columns = x.shape()[1];
      long depth = g.shape()[0];
      backend
          .engine()
          .run(
              new KernelCall(IntegerProductKernels.TRANSPOSED)
                  .arrays(g, x, dw)
                  .integers(rows, columns, depth)
                  .units(
                      rows
                          * IntegerProductKernels.covers(
                              columns, IntegerProductKernels.TRANSPOSED_COLUMNS),
                      IntegerProduct.work(rows, columns, depth * 8)));
      return;
    }
    try (Scratch scratch = new Scratch()) {
      Operand left = scratch.columns(g, ScaleGrid.COLUMN);
      Operand right = scratch.columns(x, ScaleGrid.COLUMN);
      scratch.multiply(left, right, null, dw);
    }
  }

  private ScaleGrid weightGrid(ScaleGrid mixed) {
    return recipe == Recipe.MIXED ? mixed : ScaleGrid.TENSOR;
  }

  private void checkOperands(
      String leftName, Tensor left, String rightName, Tensor right, String name, Tensor result) {
    new FormatChecks(backend)
        .reads(leftName, left, DType.F32)
        .reads(rightName, right, DType.F32)
        .writes(name, result, DType.F32)
        .done();
    FormatChecks.matrix(leftName, left);
    FormatChecks.matrix(rightName, right);
    // The longest contraction of the three products.
    for (long extent : left.shape()) {
      Range.check(
          leftName + " extent",
          extent,
          extent <= IntegerProduct.MAX_DEPTH,
          "<= " + IntegerProduct.MAX_DEPTH);
    }
  }

  /** Codes of an operand whose columns are contracted, with a scale per row or one. */
  private record Operand(Tensor codes, Tensor scales) {}

  /** Memory of one product. */
  private final class Scratch implements AutoCloseable {
    private final Engine engine = backend.engine();
    private final List<Tensor> tensors = new ArrayList<>();

    private Tensor allocate(DType dtype, long... shape) {
      Tensor tensor = engine.allocate(dtype, shape, tensors.size());
      tensors.add(tensor);
      return tensor;
    }

    Operand rows(Tensor values, ScaleGrid grid) {
      Tensor codes = allocate(DType.I8, values.shape());
      Tensor scales = allocate(DType.F32, grid.scales(values.shape()));
      return quantized(values, grid, Quantized.of(codes, scales), codes);
    }

    Operand columns(Tensor values, ScaleGrid grid) {
      long[] shape = values.shape();
      Tensor transposed = allocate(DType.I8, shape[1], shape[0]);
      Quantized into =
          Quantized.of(allocate(DType.I8, shape), allocate(DType.F32, grid.scales(shape)))
              .withTransposed(transposed);
      return quantized(values, grid, into, transposed);
    }

    private Operand quantized(Tensor values, ScaleGrid grid, Quantized into, Tensor codes) {
      if (values.elements() > 0) {
        quantizer.quantize(format(grid), values, into);
      }
      return new Operand(codes, into.scales());
    }

    void multiply(Operand left, Operand right, Tensor bias, Tensor result) {
      IntegerProduct.on(backend)
          .multiply(
              left.codes(),
              right.codes(),
              IntegerProduct.Epilogue.scales(left.scales(), right.scales()).withBias(bias),
              result);
    }

    @Override
    public void close() {
      tensors.forEach(engine::release);
    }
  }
}
