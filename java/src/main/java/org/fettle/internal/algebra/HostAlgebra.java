package org.fettle.internal.algebra;

import java.util.Arrays;
import org.ojalgo.matrix.decomposition.Cholesky;
import org.ojalgo.matrix.decomposition.Eigenvalue;
import org.ojalgo.matrix.decomposition.QR;
import org.ojalgo.matrix.decomposition.SingularValue;
import org.ojalgo.matrix.store.MatrixStore;
import org.ojalgo.matrix.store.R064Store;

/** Factorisations and solutions by ojAlgo. */
final class HostAlgebra implements Algebra {
  static final HostAlgebra INSTANCE = new HostAlgebra();

  private HostAlgebra() {}

  @Override
  public Eigen eigen(Matrix symmetric) {
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
    int[] order = Algebra.descending(values);
    Matrix vectors = matrix(found.getV()).columnsAt(order);
    return new Eigen(Arrays.stream(order).mapToDouble(i -> values[i]).toArray(), vectors);
  }

  @Override
  public Singular singular(Matrix a) {
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
    int[] order = Algebra.descending(values);
    return new Singular(
        matrix(found.getU()).columnsAt(order),
        Arrays.stream(order).mapToDouble(i -> values[i]).toArray(),
        matrix(found.getV()).columnsAt(order));
  }

  @Override
  public Matrix orthogonal(Matrix a) {
    if (a.rows == 0) {
      return a.copy();
    }
    QR<Double> found = QR.R064.make(a.rows, a.columns);
    found.decompose(store(a));
    return matrix(found.getQ());
  }

  @Override
  public Matrix solve(Matrix a, Matrix b) {
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

  @Override
  public Matrix cholesky(Matrix a) {
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
