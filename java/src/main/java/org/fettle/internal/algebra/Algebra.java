package org.fettle.internal.algebra;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Factorisations and solutions in double of matrices on the heap. Signs of vectors, and bases of
 * spaces that belong to equal values, are whatever the library gives.
 */
public sealed interface Algebra permits HostAlgebra, CudaAlgebra {
  /** Those of ojAlgo, on the host: the same bits whatever the backend. */
  static Algebra host() {
    return HostAlgebra.INSTANCE;
  }

  /** Eigenvalues of a symmetric matrix, largest first. */
  final class Eigen {
    private final double[] values;
    private final Matrix vectors;

    Eigen(double[] values, Matrix vectors) {
      this.values = values;
      this.vectors = vectors;
    }

    /** The eigenvalues. */
    public double[] values() {
      return values;
    }

    /** The eigenvectors, as columns. */
    public Matrix vectors() {
      return vectors;
    }
  }

  /**
   * The thin singular value decomposition {@code left * diagonal(values) * right'}, largest first.
   */
  final class Singular {
    private final Matrix left;
    private final double[] values;
    private final Matrix right;

    Singular(Matrix left, double[] values, Matrix right) {
      this.left = left;
      this.values = values;
      this.right = right;
    }

    /** The left vectors, as columns. */
    public Matrix left() {
      return left;
    }

    /** The singular values. */
    public double[] values() {
      return values;
    }

    /** The right vectors, as columns. */
    public Matrix right() {
      return right;
    }

    /** The sum of the singular values. */
    public double sum() {
      return Arrays.stream(values).sum();
    }

    /** The largest over the smallest singular value; infinite where that is 0. */
    public double condition() {
      return values.length == 0 ? 1 : values[0] / values[values.length - 1];
    }
  }

  /** Eigenvalues and eigenvectors of a symmetric matrix. */
  Eigen eigen(Matrix symmetric);

  /** The thin singular value decomposition. */
  Singular singular(Matrix a);

  /** The orthogonal factor of a square matrix. */
  Matrix orthogonal(Matrix a);

  /** x with a * x = b for a symmetric positive definite a; null if it is not. */
  Matrix solve(Matrix a, Matrix b);

  /** The inverse of a symmetric positive definite matrix; null if it is not. */
  default Matrix inverse(Matrix a) {
    return solve(a, Matrix.diagonal(a.rows, 1));
  }

  /** The lower triangular l with l * l' = a; null if a is not positive definite. */
  Matrix cholesky(Matrix a);

  /** The numbers of the values, largest value first; equal ones keep their order. */
  static int[] descending(double[] values) {
    return IntStream.range(0, values.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
        .mapToInt(Integer::intValue)
        .toArray();
  }
}
