package org.fettle.internal.algebra;

import static org.bytedeco.cuda.global.cublas.CUBLAS_FILL_MODE_UPPER;
import static org.bytedeco.cuda.global.cusolver.CUSOLVER_EIG_MODE_VECTOR;
import static org.bytedeco.cuda.global.cusolver.cusolverDnCreate;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDestroy;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDgeqrf;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDgeqrf_bufferSize;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDgesvd;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDgesvd_bufferSize;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDorgqr;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDorgqr_bufferSize;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDpotrf;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDpotrf_bufferSize;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDpotrs;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDsyevd;
import static org.bytedeco.cuda.global.cusolver.cusolverDnDsyevd_bufferSize;
import static org.fettle.internal.algebra.DevicePointers.doubles;
import static org.fettle.internal.algebra.DevicePointers.integers;

import org.bytedeco.cuda.cusolver.cusolverDnContext;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;

/**
 * A handle of cuSOLVER, on the default stream of the device that was current. Matrices are square
 * or as said, dense and by columns, at device addresses; of symmetric ones the upper triangle is
 * read. {@code information} is where an integer comes out: 0, or what went wrong with the numbers.
 */
final class Cusolver implements AutoCloseable {
  private static final DoublePointer NONE = null;

  private final cusolverDnContext handle = new cusolverDnContext();
  private final IntPointer size = new IntPointer(1);

  Cusolver() {
    check("cusolverDnCreate", cusolverDnCreate(handle));
  }

  static void load() {
    Loader.load(org.bytedeco.cuda.global.cusolver.class);
  }

  private int size(String call, int status) {
    check(call, status);
    int doubles = size.get();
    if (doubles < 0) {
      throw new IllegalStateException(call + ": a work space of " + doubles + " doubles");
    }
    return doubles;
  }

  /** Doubles of work space for {@link #cholesky}. */
  int choleskySpace(int n) {
    return size(
        "cusolverDnDpotrf_bufferSize",
        cusolverDnDpotrf_bufferSize(handle, CUBLAS_FILL_MODE_UPPER, n, NONE, n, size));
  }

  /** The upper triangle of a becomes u with u' * u = a. */
  void cholesky(int n, long a, long space, int spaceSize, long information) {
    check(
        "cusolverDnDpotrf",
        cusolverDnDpotrf(
            handle,
            CUBLAS_FILL_MODE_UPPER,
            n,
            doubles(a),
            n,
            doubles(space),
            spaceSize,
            integers(information)));
  }

  /** b, n x columns, becomes the x with u' * u * x = b. */
  void solve(int n, int columns, long u, long b, long information) {
    check(
        "cusolverDnDpotrs",
        cusolverDnDpotrs(
            handle,
            CUBLAS_FILL_MODE_UPPER,
            n,
            columns,
            doubles(u),
            n,
            doubles(b),
            n,
            integers(information)));
  }

  /** Doubles of work space for {@link #eigen}. */
  int eigenSpace(int n) {
    return size(
        "cusolverDnDsyevd_bufferSize",
        cusolverDnDsyevd_bufferSize(
            handle, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, NONE, n, NONE, size));
  }

  /** a becomes its eigenvectors, as columns; the n eigenvalues come smallest first. */
  void eigen(int n, long a, long values, long space, int spaceSize, long information) {
    check(
        "cusolverDnDsyevd",
        cusolverDnDsyevd(
            handle,
            CUSOLVER_EIG_MODE_VECTOR,
            CUBLAS_FILL_MODE_UPPER,
            n,
            doubles(a),
            n,
            doubles(values),
            doubles(space),
            spaceSize,
            integers(information)));
  }

  /** Doubles of work space for {@link #reflectors} and {@link #orthogonal}. */
  int orthogonalSpace(int n) {
    int first =
        size(
            "cusolverDnDgeqrf_bufferSize",
            cusolverDnDgeqrf_bufferSize(handle, n, n, NONE, n, size));
    int second =
        size(
            "cusolverDnDorgqr_bufferSize",
            cusolverDnDorgqr_bufferSize(handle, n, n, n, NONE, n, NONE, size));
    return Math.max(first, second);
  }

  /** a becomes r above and the reflectors of q below, with n factors. */
  void reflectors(int n, long a, long factors, long space, int spaceSize, long information) {
    check(
        "cusolverDnDgeqrf",
        cusolverDnDgeqrf(
            handle,
            n,
            n,
            doubles(a),
            n,
            doubles(factors),
            doubles(space),
            spaceSize,
            integers(information)));
  }

  /** What {@link #reflectors} left becomes q. */
  void orthogonal(int n, long a, long factors, long space, int spaceSize, long information) {
    check(
        "cusolverDnDorgqr",
        cusolverDnDorgqr(
            handle,
            n,
            n,
            n,
            doubles(a),
            n,
            doubles(factors),
            doubles(space),
            spaceSize,
            integers(information)));
  }

  /** Doubles of work space for {@link #singular}. */
  int singularSpace(int m, int n) {
    return size("cusolverDnDgesvd_bufferSize", cusolverDnDgesvd_bufferSize(handle, m, n, size));
  }

  /**
   * The thin decomposition of an m x n matrix with m at least n, which is lost.
   *
   * @param values n of them, largest first
   * @param left m x n
   * @param right n x n, transposed
   */
  void singular(
      int m,
      int n,
      long a,
      long values,
      long left,
      long right,
      long space,
      int spaceSize,
      long information) {
    byte thin = 'S';
    check(
        "cusolverDnDgesvd",
        cusolverDnDgesvd(
            handle,
            thin,
            thin,
            m,
            n,
            doubles(a),
            m,
            doubles(values),
            doubles(left),
            m,
            doubles(right),
            n,
            doubles(space),
            spaceSize,
            NONE,
            integers(information)));
  }

  private static void check(String call, int status) {
    if (status == 0) {
      return;
    }
    String name =
        switch (status) {
          case 1 -> "CUSOLVER_STATUS_NOT_INITIALIZED";
          case 2 -> "CUSOLVER_STATUS_ALLOC_FAILED";
          case 3 -> "CUSOLVER_STATUS_INVALID_VALUE";
          case 4 -> "CUSOLVER_STATUS_ARCH_MISMATCH";
          case 5 -> "CUSOLVER_STATUS_MAPPING_ERROR";
          case 6 -> "CUSOLVER_STATUS_EXECUTION_FAILED";
          case 7 -> "CUSOLVER_STATUS_INTERNAL_ERROR";
          case 8 -> "CUSOLVER_STATUS_MATRIX_TYPE_NOT_SUPPORTED";
          case 9 -> "CUSOLVER_STATUS_NOT_SUPPORTED";
          case 10 -> "CUSOLVER_STATUS_ZERO_PIVOT";
          case 11 -> "CUSOLVER_STATUS_INVALID_LICENSE";
          default -> "status " + status;
        };
    if (status == 2) {
      throw new OutOfMemoryError(call + ": " + name);
    }
    throw new IllegalStateException(call + ": " + name);
  }

  @Override
  public void close() {
    check("cusolverDnDestroy", cusolverDnDestroy(handle));
    size.close();
  }
}
