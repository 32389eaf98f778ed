package org.fettle.steps;

import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * TrAct: the weight gradient of a first layer that trains its activations in place of its weights.
 *
 * <pre>
 * gradient = gz' x (x' x / b + lambda I)^-1
 * b &lt; n:  = gz' (x x' / b + lambda I)^-1 x
 * </pre>
 *
 * <p>Double, with a Cholesky solution; within 2e-4, in fact a rounding of the result. For a
 * convolution x are the unfolded patches, b counts batch and positions. Bias and input gradients
 * stay as they are. Source: arXiv:2410.23970; Felix-Petersen/tract, without its Cholesky option,
 * which passes the matrix in place of its factor.
 */
public final class TrAct {
  private TrAct() {}

  /**
   * The corrected weight gradient.
   *
   * @param lambda positive; 0.1 for vision transformers, 0.05 for ResNets
   * @param inputs x: b x n
   * @param gradients gz, at what the layer gives before its activation: b x m
   * @param output receives the weight's gradient: m x n
   * @throws ArithmeticException if the inputs are not finite; nothing was written
   */
  public static void weightGradient(
      Backend backend, double lambda, Tensor inputs, Tensor gradients, Tensor output) {
    Range.positive("lambda", lambda);
    Access.checks(backend)
        .reads("inputs", inputs)
        .reads("gradients", gradients)
        .writes("output", output)
        .done();
    checkRank("inputs", inputs);
    checkRank("gradients", gradients);
    checkRank("output", output);
    MatrixShape x = MatrixShape.of("inputs", inputs);
    MatrixShape z = MatrixShape.of("gradients", gradients);
    MatrixShape w = MatrixShape.of("output", output);
    if (z.rows() != x.rows() || x.rows() == 0) {
      throw new IllegalArgumentException(
          "gradients is " + gradients + ": expected one row per row of inputs, one at least");
    }
    if (w.rows() != z.columns() || w.columns() != x.columns()) {
      throw new IllegalArgumentException(
          "output is " + output + ": expected " + z.columns() + " x " + x.columns());
    }
    Engine engine = Access.engine(backend);
    Products products = Products.of(engine);
    Matrix input = Matrix.of(engine, inputs, x.rows(), x.columns());
    Matrix gradient = Matrix.of(engine, gradients, z.rows(), z.columns());
    Matrix result =
        x.rows() < x.columns()
            ? byExamples(products, lambda, input, gradient)
            : byInputs(products, lambda, input, gradient);
    result.writeTo(engine, output);
  }

  private static Matrix byInputs(Products products, double lambda, Matrix x, Matrix gz) {
    Matrix gram = products.multiply(x, true, x, false).scale(1.0 / x.rows()).addToDiagonal(lambda);
    return solved(products, gram, products.multiply(x, true, gz, false)).transposed();
  }

  private static Matrix byExamples(Products products, double lambda, Matrix x, Matrix gz) {
    Matrix gram = products.multiply(x, false, x, true).scale(1.0 / x.rows()).addToDiagonal(lambda);
    return products.multiply(gz, true, solved(products, gram, x), false);
  }

  private static Matrix solved(Products products, Matrix a, Matrix b) {
    Matrix x = products.algebra().solve(a, b);
    if (x == null) {
      throw new ArithmeticException("the inputs' products are not positive definite");
    }
    return x;
  }

  private static void checkRank(String name, Tensor tensor) {
    if (tensor.rank() != 2) {
      throw new IllegalArgumentException(name + " is " + tensor + ": expected two axes");
    }
  }
}
