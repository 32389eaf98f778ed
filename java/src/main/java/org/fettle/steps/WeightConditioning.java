package org.fettle.steps;

import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;

/**
 * Weight conditioning by row equilibration: every row (index of the first axis) divided by its
 * length. As {@link WeightNorm} with a magnitude of 1; rows of zeros stay zero and are counted.
 *
 * <p>All tensors are F32. The same bits on every backend. Source: arXiv:2409.03424, abstract and
 * introduction.
 */
public final class WeightConditioning {
  private WeightConditioning() {}

  /**
   * The effective weight.
   *
   * @return how many rows are zero
   */
  public static long forward(Backend backend, Tensor weight, Tensor output) {
    Access.checks(backend).reads("weight", weight).writesLike("output", output, weight).done();
    Kernels.f32("output", output);
    rows(weight);
    return WeightNorm.run(Access.engine(backend), 0, 0, weight, null, null, output, null);
  }

  /**
   * The gradient of the stored weight.
   *
   * @param frozen whether the length counts as a constant
   * @param weight the stored weight
   * @param gradient of the effective weight
   * @param output receives the gradient
   * @return how many rows are zero
   */
  public static long backward(
      Backend backend, boolean frozen, Tensor weight, Tensor gradient, Tensor output) {
    Access.checks(backend)
        .reads("weight", weight)
        .readsLike("gradient", gradient, weight)
        .writesLike("output", output, weight)
        .done();
    Kernels.f32("gradient", gradient);
    Kernels.f32("output", output);
    rows(weight);
    return WeightNorm.run(
        Access.engine(backend), 0, frozen ? 2 : 1, weight, null, gradient, output, null);
  }

  /** The condition number of a matrix, in double: its largest over its smallest singular value. */
  public static double condition(Backend backend, Tensor matrix) {
    Access.checks(backend).reads("matrix", matrix).done();
    MatrixShape shape = MatrixShape.of("matrix", matrix);
    Engine engine = Access.engine(backend);
    return Algebra.host()
        .singular(Matrix.of(engine, matrix, shape.rows(), shape.columns()))
        .condition();
  }

  /**
   * The condition number that the effective weight of a weight has, in double throughout: what
   * {@link #forward} stores is rounded, which the smallest singular value may notice.
   */
  public static double effectiveCondition(Backend backend, Tensor weight) {
    Access.checks(backend).reads("weight", weight).done();
    MatrixShape shape = MatrixShape.of("weight", weight);
    Matrix effective = Matrix.of(Access.engine(backend), weight, shape.rows(), shape.columns());
    for (int i = 0; i < shape.rows(); i++) {
      double square = 0;
      for (int j = 0; j < shape.columns(); j++) {
        square += effective.get(i, j) * effective.get(i, j);
      }
      double length = square == 0 ? 1 : Math.sqrt(square);
      for (int j = 0; j < shape.columns(); j++) {
        effective.set(i, j, effective.get(i, j) / length);
      }
    }
    return Algebra.host().singular(effective).condition();
  }

  private static void rows(Tensor weight) {
    if (weight.rank() == 0) {
      throw new IllegalArgumentException("weight is " + weight + ": expected one axis or more");
    }
  }
}
