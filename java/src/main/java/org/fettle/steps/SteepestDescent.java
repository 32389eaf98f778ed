package org.fettle.steps;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * Steepest descent under a norm: {@code p = p - lr * T}, T what makes {@code <g, T>} largest among
 * the tensors of norm 1, or T times the dual norm of g.
 *
 * <p>A zero gradient gives a zero step. Signs have the same bits on every backend; singular vectors
 * are found in double. Singular values below 1e-12 of the largest count as zero. Source:
 * arXiv:2409.20325, arXiv:2410.21265.
 */
public final class SteepestDescent {
  private static final double NEGLIGIBLE = 1e-12;

  private SteepestDescent() {}

  /** Which norm a step has length 1 in. */
  public enum Norm {
    /** The largest magnitude: T is the sign; the dual norm is the sum of magnitudes. */
    MAXIMUM,
    /** The largest singular value: T is U V'; the dual norm is the sum of singular values. */
    SPECTRAL,
    /** As an operator between root mean squares: T is sqrt(rows / columns) U V'. */
    RMS_TO_RMS,
    /** From sums of magnitudes to root mean squares: every column of T has root mean square 1. */
    COLUMNS
  }

  /**
   * One step.
   *
   * @param norm under which
   * @param lr learning rate, finite and at least 0
   * @param dual whether the step is multiplied by the gradient's dual norm; only {@link
   *     Norm#MAXIMUM} and {@link Norm#SPECTRAL} offer it
   * @param parameter a matrix, or for {@link Norm#MAXIMUM} any tensor
   * @param gradient of its shape
   * @return the dual norm of the gradient; 1 where it is not offered
   */
  public static double step(
      Backend backend, Norm norm, double lr, boolean dual, Tensor parameter, Tensor gradient) {
    Objects.requireNonNull(norm, "norm");
    Range.nonNegative("lr", lr);
    Access.checks(backend)
        .writes("parameter", parameter)
        .readsLike("gradient", gradient, parameter)
        .done();
    if (dual && norm != Norm.MAXIMUM && norm != Norm.SPECTRAL) {
      throw new IllegalArgumentException("dual is true: expected false for " + norm);
    }
    Engine engine = Access.engine(backend);
    if (norm == Norm.MAXIMUM) {
      double sum = run(engine, Primitive.ABSOLUTE_SUM, 0, gradient);
      run(engine, Primitive.SIGN_STEP, -lr * (dual ? sum : 1.0), parameter, gradient, parameter);
      return sum;
    }
    MatrixShape shape = MatrixShape.of("gradient", gradient);
    Matrix g = Matrix.of(engine, gradient, shape.rows(), shape.columns());
    if (norm == Norm.COLUMNS) {
      columns(g);
      apply(engine, lr, g, parameter);
      return 1;
    }
    Products products = Products.of(engine);
    Algebra.Singular singular = products.algebra().singular(g);
    double sum = 0;
    for (double value : singular.values()) {
      sum += value;
    }
    double factor = dual ? sum : 1.0;
    if (norm == Norm.RMS_TO_RMS && shape.columns() > 0) {
      factor = Math.sqrt((double) shape.rows() / shape.columns());
    }
    apply(engine, lr * factor, polar(products, singular), parameter);
    return norm == Norm.SPECTRAL ? sum : 1;
  }

  /** U V' over the singular values that are not negligible. */
  static Matrix polar(Products products, Algebra.Singular singular) {
    double[] values = singular.values();
    double[] kept = new double[values.length];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = values[i] > NEGLIGIBLE * values[0] ? 1 : 0;
    }
    return products.multiply(
        singular.left().copy().scaleColumns(kept), false, singular.right(), true);
  }

  /**
   * The exact polar factor U V' of a matrix, and its norms.
   *
   * @param matrix two axes
   * @param output of its shape, receives the factor
   * @return the largest singular value and the sum of all
   */
  public static double[] polar(Backend backend, Tensor matrix, Tensor output) {
    Access.checks(backend).reads("matrix", matrix).writesLike("output", output, matrix).done();
    Engine engine = Access.engine(backend);
    MatrixShape shape = MatrixShape.of("matrix", matrix);
    Products products = Products.of(engine);
    Algebra.Singular singular =
        products.algebra().singular(Matrix.of(engine, matrix, shape.rows(), shape.columns()));
    polar(products, singular).writeTo(engine, output);
    double sum = 0;
    for (double value : singular.values()) {
      sum += value;
    }
    return new double[] {singular.values().length == 0 ? 0 : singular.values()[0], sum};
  }

  private static void columns(Matrix g) {
    double[] factors = new double[g.columns()];
    for (int j = 0; j < factors.length; j++) {
      double sum = 0;
      for (int i = 0; i < g.rows(); i++) {
        sum += g.get(i, j) * g.get(i, j);
      }
      factors[j] = sum == 0 ? 0 : Math.sqrt(g.rows()) / Math.sqrt(sum);
    }
    g.scaleColumns(factors);
  }

  private static void apply(Engine engine, double factor, Matrix direction, Tensor parameter) {
    Matrix p = Matrix.of(engine, parameter, direction.rows(), direction.columns());
    p.mix(1, -factor, direction).writeTo(engine, parameter);
  }

  private static double run(Engine engine, Primitive primitive, double factor, Tensor... arrays) {
    try (BatchRunner runner = engine.open(new Batch(List.of(Batch.Item.of(primitive, arrays))))) {
      runner.factor(0, 0, factor);
      runner.run();
      return runner.sum(0, 0);
    }
  }
}
