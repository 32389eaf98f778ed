package org.fettle.internal.algebra;

import java.util.Arrays;

/**
 * Factorisations of large matrices by cuSOLVER; smaller ones, and ones that hold an infinity or
 * NaN, are the host's. Rows lie one after another on the heap and columns on the device, so what is
 * copied there is read as the transpose.
 */
final class CudaAlgebra implements Algebra {
  private final CudaHandles handles;
  private final Algebra host = Algebra.host();

  CudaAlgebra(CudaHandles handles) {
    this.handles = handles;
  }

  private static boolean isForDevice(Matrix matrix) {
    return CudaHandles.isLarge(matrix) && matrix.isFinite();
  }

  /** Of calls that succeed whatever the numbers are. */
  private static void checkArguments(String call, int information) {
    if (information != 0) {
      throw new IllegalStateException(call + ": information " + information + ", expected 0");
    }
  }

  @Override
  public Eigen eigen(Matrix symmetric) {
    if (!isForDevice(symmetric)) {
      return host.eigen(symmetric);
    }
    int n = symmetric.rows;
    Matrix vectors = Matrix.zeros(n, n);
    double[] ascending = new double[n];
    handles.run(
        () -> {
          Cusolver solver = handles.solver();
          DeviceDoubles memory = handles.memory();
          int space = solver.eigenSpace(n);
          memory.lay(vectors.values.length, n, space, 1);
          memory.write(0, symmetric.values);
          solver.eigen(
              n, memory.address(0), memory.address(1), memory.address(2), space, memory.address(3));
          if (memory.readInteger(3) != 0) {
            throw new ArithmeticException("no eigenvalues of a matrix of " + n + " rows");
          }
          memory.read(0, vectors.values);
          memory.read(1, ascending);
        });
    int[] order = Algebra.descending(ascending);
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      values[i] = ascending[order[i]];
    }
    return new Eigen(values, vectors.rowsAt(order).transposed());
  }

  @Override
  public Singular singular(Matrix a) {
    if (!isForDevice(a)) {
      return host.singular(a);
    }
    // cuSOLVER wants no fewer rows than columns; on the device a wide matrix is a tall one.
    boolean wide = a.columns >= a.rows;
    int m = Math.max(a.rows, a.columns);
    int n = Math.min(a.rows, a.columns);
    Matrix tall = wide ? a : a.transposed();
    Matrix left = Matrix.zeros(n, m);
    Matrix right = Matrix.zeros(n, n);
    double[] values = new double[n];
    handles.run(
        () -> {
          Cusolver solver = handles.solver();
          DeviceDoubles memory = handles.memory();
          int space = solver.singularSpace(m, n);
          memory.lay(tall.values.length, n, left.values.length, right.values.length, space, 1);
          memory.write(0, tall.values);
          solver.singular(
              m,
              n,
              memory.address(0),
              memory.address(1),
              memory.address(2),
              memory.address(3),
              memory.address(4),
              space,
              memory.address(5));
          if (memory.readInteger(5) != 0) {
            throw new ArithmeticException("no singular values of a matrix of " + a.rows + " rows");
          }
          memory.read(1, values);
          memory.read(2, left.values);
          memory.read(3, right.values);
        });
    Matrix longer = left.transposed();
    return wide ? new Singular(right, values, longer) : new Singular(longer, values, right);
  }

  @Override
  public Matrix orthogonal(Matrix a) {
    if (!isForDevice(a)) {
      return host.orthogonal(a);
    }
    int n = a.rows;
    Matrix q = Matrix.zeros(n, n);
    handles.run(
        () -> {
          Cusolver solver = handles.solver();
          DeviceDoubles memory = handles.memory();
          int space = solver.orthogonalSpace(n);
          memory.lay(q.values.length, n, space, 1);
          memory.write(0, a.transposed().values);
          solver.reflectors(
              n, memory.address(0), memory.address(1), memory.address(2), space, memory.address(3));
          checkArguments("cusolverDnDgeqrf", memory.readInteger(3));
          solver.orthogonal(
              n, memory.address(0), memory.address(1), memory.address(2), space, memory.address(3));
          checkArguments("cusolverDnDorgqr", memory.readInteger(3));
          memory.read(0, q.values);
        });
    return q.transposed();
  }

  @Override
  public Matrix solve(Matrix a, Matrix b) {
    if (!isForDevice(a) || b.columns == 0) {
      return host.solve(a, b);
    }
    int n = a.rows;
    Matrix x = Matrix.zeros(b.columns, n);
    boolean[] definite = new boolean[1];
    handles.run(
        () -> {
          Cusolver solver = handles.solver();
          DeviceDoubles memory = handles.memory();
          int space = solver.choleskySpace(n);
          memory.lay(a.values.length, x.values.length, space, 1);
          memory.write(0, a.values);
          memory.write(1, b.transposed().values);
          solver.cholesky(n, memory.address(0), memory.address(2), space, memory.address(3));
          definite[0] = memory.readInteger(3) == 0;
          if (definite[0]) {
            solver.solve(n, b.columns, memory.address(0), memory.address(1), memory.address(3));
            checkArguments("cusolverDnDpotrs", memory.readInteger(3));
            memory.read(1, x.values);
          }
        });
    return definite[0] && x.isFinite() ? x.transposed() : null;
  }

  @Override
  public Matrix cholesky(Matrix a) {
    if (!isForDevice(a)) {
      return host.cholesky(a);
    }
    int n = a.rows;
    Matrix lower = Matrix.zeros(n, n);
    boolean[] definite = new boolean[1];
    handles.run(
        () -> {
          Cusolver solver = handles.solver();
          DeviceDoubles memory = handles.memory();
          int space = solver.choleskySpace(n);
          memory.lay(a.values.length, space, 1);
          memory.write(0, a.values);
          solver.cholesky(n, memory.address(0), memory.address(1), space, memory.address(2));
          definite[0] = memory.readInteger(2) == 0;
          memory.read(0, lower.values);
        });
    for (int i = 0; i < n; i++) {
      Arrays.fill(lower.values, i * n + i + 1, (i + 1) * n, 0);
    }
    return definite[0] && lower.isFinite() ? lower : null;
  }
}
