package org.fettle.internal.algebra;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.ojalgo.matrix.decomposition.Cholesky;
import org.ojalgo.matrix.decomposition.Eigenvalue;
import org.ojalgo.matrix.decomposition.QR;
import org.ojalgo.matrix.decomposition.SingularValue;
import org.ojalgo.matrix.store.MatrixStore;
import org.ojalgo.matrix.store.R064Store;

/** Factorisations and solutions in double, by ojAlgo. */
public final class Algebra {
  private Algebra() {}

  /** Eigenvalues of a symmetric matrix, largest first. */
  public static final class Eigen {
    private final double[] values;
    private final Matrix vectors;

    private Eigen(double[] values, Matrix vectors) {
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
  public static final class Singular {
    private final Matrix left;
    private final double[] values;
    private final Matrix right;

    private Singular(Matrix left, double[] values, Matrix right) {
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
  public static Eigen eigen(Matrix symmetric) {
    int n = symmetric.rows;
    Eigenvalue<Double> found = Eigenvalue.R064.make(n, true);
    if (n > 0 && !found.decompose(store(symmetric))) {
      throw new ArithmeticException("no eigenvalues of a matrix of " + n + " rows");
    }
    if (n == 0) {
      return new Eigen(new double[0], Matrix.zeros(0, 0));
    }
    MatrixStore<Double> d = found.getD();
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      values[i] = d.doubleValue(i, i);
    }
    int[] order = descending(values);
    Matrix vectors = matrix(found.getV()).columnsAt(order);
    return new Eigen(Arrays.stream(order).mapToDouble(i -> values[i]).toArray(), vectors);
  }

  /** The numbers of the values, largest value first; equal ones keep their order. */
  public static int[] descending(double[] values) {
    return IntStream.range(0, values.length)
        .boxed()
        .sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /** The thin singular value decomposition. */
  public static Singular singular(Matrix a) {
    int count = Math.min(a.rows, a.columns);
    if (count == 0) {
      return new Singular(Matrix.zeros(a.rows, 0), new double[0], Matrix.zeros(a.columns, 0));
    }
    SingularValue<Double> found = SingularValue.R064.make(a.rows, a.columns);
    if (!found.decompose(store(a))) {
      throw new ArithmeticException("no singular values of a matrix of " + a.rows + " rows");
    }
    double[] values = new double[count];
    found.getSingularValues(values);
    int[] order = descending(values);
    return new Singular(
        matrix(found.getU()).columnsAt(order),
        Arrays.stream(order).mapToDouble(i -> values[i]).toArray(),
        matrix(found.getV()).columnsAt(order));
  }

  /** The orthogonal factor of a square matrix. */
  public static Matrix orthogonal(Matrix a) {
    if (a.rows == 0) {
      return a.copy();
    }
    QR<Double> found = QR.R064.make(a.rows, a.columns);
    found.decompose(store(a));
    return matrix(found.getQ());
  }

  /** x with a * x = b for a symmetric positive definite a; null if it is not. */
  public static Matrix solve(Matrix a, Matrix b) {
    if (a.rows == 0 || b.columns == 0) {
      return b.copy();
    }
    Cholesky<Double> found = Cholesky.R064.make(a.rows, a.columns);
    if (!found.decompose(store(a)) || !found.isSolvable()) {
      return null;
    }
    Matrix x = matrix(found.getSolution(store(b)));
    return x.isFinite() ? x : null;
  }

  /** The inverse of a symmetric positive definite matrix; null if it is not. */
  public static Matrix inverse(Matrix a) {
    return solve(a, Matrix.diagonal(a.rows, 1));
  }

  /** The lower triangular l with l * l' = a; null if a is not positive definite. */
  public static Matrix cholesky(Matrix a) {
    if (a.rows == 0) {
      return a.copy();
    }
    Cholesky<Double> found = Cholesky.R064.make(a.rows, a.columns);
    if (!found.decompose(store(a)) || !found.isSPD()) {
      return null;
    }
    Matrix l = matrix(found.getL());
    return l.isFinite() ? l : null;
  }

  private static R064Store store(Matrix matrix) {
    R064Store store = R064Store.FACTORY.make(matrix.rows, matrix.columns);
    for (int i = 0; i < matrix.rows; i++) {
      for (int j = 0; j < matrix.columns; j++) {
        store.set(i, j, matrix.get(i, j));
      }
    }
    return store;
  }

  private static Matrix matrix(MatrixStore<Double> store) {
    Matrix result = Matrix.zeros((int) store.countRows(), (int) store.countColumns());
    for (int i = 0; i < result.rows; i++) {
      for (int j = 0; j < result.columns; j++) {
        result.set(i, j, store.doubleValue(i, j));
      }
    }
    return result;
  }
}
