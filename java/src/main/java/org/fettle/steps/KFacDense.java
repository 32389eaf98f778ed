package org.fettle.steps;

import java.util.Objects;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * K-FAC's step of a dense layer, with factored damping.
 *
 * <pre>
 * A = ema(A, a' a / batch, e) ;  S = ema(S, d' d / batch, e) ;  e = 0 in the first step ;  V = d' a / batch
 * pi = sqrt((tr A / N) / (tr S / M)), or 1
 * p = p - lr * (S + (sqrt(damping) / pi) I)^-1 V (A + pi sqrt(damping) I)^-1
 * </pre>
 *
 * <p>a are the layer's inputs (batch x N, with a column of ones where the bias is folded in), d the
 * gradients at its outputs per example (batch x M, not divided by the batch). Two Cholesky
 * factorisations, in double; within 1e-6 of an exact evaluation. One that fails makes the square
 * root of the damping ten times as large, five times at most. Source: arXiv:1503.05671.
 */
public final class KFacDense extends StepObject {
  private static final int ATTEMPTS = 6;

  private final Options options;
  private final Products products;
  private final Tensor weight;
  private final int outputs;
  private final int inputs;
  private Matrix inputFactor;
  private Matrix outputFactor;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 0.1
   * @param damping positive; default 1e-3
   * @param factorDecay e, in [0, 1); default 0.95
   * @param split whether pi shares the damping by the factors' sizes; default true
   * @param biasColumn whether the weight's last column is the bias, so that inputs gain a column of
   *     ones; default false
   */
  public record Options(
      double lr, double damping, double factorDecay, boolean split, boolean biasColumn) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.positive("damping", damping);
      Range.fraction("factorDecay", factorDecay);
    }

    /** The defaults. */
    public Options() {
      this(0.1, 1e-3, 0.95, true, false);
    }
  }

  /**
   * The step of one layer.
   *
   * @param weight outputs x inputs, with the bias as last column where it is folded in
   */
  public KFacDense(Backend backend, Options options, Tensor weight) {
    super(backend);
    this.options = Objects.requireNonNull(options, "options");
    checks().writes("weight", weight).done();
    if (weight.rank() != 2) {
      throw new IllegalArgumentException("weight is " + weight + ": expected two axes");
    }
    MatrixShape shape = MatrixShape.of("weight", weight);
    this.weight = weight;
    outputs = shape.rows();
    inputs = shape.columns();
    products = Products.of(engine);
  }

  /** One step with the learning rate of the options. */
  public void step(Tensor activations, Tensor outputGradients) {
    step(activations, outputGradients, options.lr);
  }

  /**
   * One step.
   *
   * @param activations a: batch x inputs, without the column of ones
   * @param outputGradients d: batch x outputs
   * @param lr this step's learning rate
   * @throws ArithmeticException if no damping makes the factors positive definite; nothing was
   *     changed
   */
  public void step(Tensor activations, Tensor outputGradients, double lr) {
    Range.nonNegative("lr", lr);
    checks()
        .reads("activations", activations)
        .reads("outputGradients", outputGradients)
        .writes("weight", weight)
        .done();
    int own = inputs - (options.biasColumn ? 1 : 0);
    checkShape("activations", activations, -1, own);
    int batch = (int) activations.shape()[0];
    checkShape("outputGradients", outputGradients, batch, outputs);
    enter();
    try {
      run(activations, outputGradients, batch, lr);
    } finally {
      leave();
    }
  }

  private void run(Tensor activations, Tensor outputGradients, int batch, double lr) {
    Matrix a = withOnes(Matrix.read(engine, activations), batch);
    Matrix d = Matrix.of(engine, outputGradients, batch, outputs);
    Matrix newInput =
        averaged(inputFactor, products.multiply(a, true, a, false).scale(1.0 / batch));
    Matrix newOutput =
        averaged(outputFactor, products.multiply(d, true, d, false).scale(1.0 / batch));
    Matrix v = products.multiply(d, true, a, false).scale(1.0 / batch);
    double pi = 1;
    if (options.split && newInput.trace() != 0 && newOutput.trace() != 0) {
      pi = Math.sqrt((newInput.trace() / inputs) / (newOutput.trace() / outputs));
    }
    Matrix u = null;
    double root = Math.sqrt(options.damping);
    for (int k = 0; k < ATTEMPTS && u == null; k++, root *= 10) {
      Matrix half = products.algebra().solve(newOutput.copy().addToDiagonal(root / pi), v);
      if (half != null) {
        // U A^-1 for a symmetric A is (A^-1 U')'.
        Matrix other =
            products.algebra().solve(newInput.copy().addToDiagonal(pi * root), half.transposed());
        u = other == null ? null : other.transposed();
      }
    }
    if (u == null) {
      throw new ArithmeticException(
          "the factors are not positive definite with any damping; nothing was changed");
    }
    inputFactor = newInput;
    outputFactor = newOutput;
    Matrix.of(engine, weight, outputs, inputs).mix(1, -lr, u).writeTo(engine, weight);
  }

  private Matrix averaged(Matrix old, Matrix now) {
    double keep = options.factorDecay;
    return old == null ? now : old.copy().mix(keep, 1.0 - keep, now);
  }

  private Matrix withOnes(double[] values, int batch) {
    if (!options.biasColumn) {
      return new Matrix(batch, inputs, values);
    }
    Matrix a = Matrix.zeros(batch, inputs);
    for (int i = 0; i < batch; i++) {
      System.arraycopy(values, i * (inputs - 1), a.values(), i * inputs, inputs - 1);
      a.set(i, inputs - 1, 1);
    }
    return a;
  }

  private static void checkShape(String name, Tensor tensor, int rows, int columns) {
    long[] shape = tensor.shape();
    boolean fits =
        shape.length == 2
            && shape[1] == columns
            && (rows < 0 ? shape[0] >= 1 && shape[0] <= Integer.MAX_VALUE : shape[0] == rows);
    if (!fits) {
      throw new IllegalArgumentException(
          name
              + " is "
              + tensor
              + ": expected "
              + (rows < 0 ? "batch" : Integer.toString(rows))
              + " x "
              + columns);
    }
  }

  /** The factor A of the inputs: a copy, row by row; empty before the first step. */
  public double[] inputFactor() {
    return inputFactor == null ? new double[0] : inputFactor.values().clone();
  }

  /** The factor S of the outputs: a copy, row by row; empty before the first step. */
  public double[] outputFactor() {
    return outputFactor == null ? new double[0] : outputFactor.values().clone();
  }

  @Override
  Stream<Matrix> matrices() {
    return Stream.of(inputFactor, outputFactor);
  }
}
