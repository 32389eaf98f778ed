package org.fettle.internal.algebra;

import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.CUBLAS_PEDANTIC_MATH;
import static org.bytedeco.cuda.global.cublas.cublasCreate_v2;
import static org.bytedeco.cuda.global.cublas.cublasDestroy_v2;
import static org.bytedeco.cuda.global.cublas.cublasDgemm_v2;
import static org.bytedeco.cuda.global.cublas.cublasSetMathMode;
import static org.bytedeco.cuda.global.cublas.cublasSgemm_v2;

import org.bytedeco.cuda.cublas.cublasContext;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;

/**
 * A handle of cuBLAS, on the default stream of the device that was current. The arithmetic is
 * "pedantic": f32 and f64 in the formats as written, neither TF32 nor an emulation. Matrices are by
 * columns, scalars on the host.
 */
final class Cublas implements AutoCloseable {
  private final cublasContext handle = new cublasContext();
  private final FloatPointer factor = new FloatPointer(1);
  private final FloatPointer keep = new FloatPointer(1);
  private final DoublePointer one = new DoublePointer(1.0);
  private final DoublePointer zero = new DoublePointer(0.0);

  Cublas() {
    check("cublasCreate", cublasCreate_v2(handle));
    boolean done = false;
    try {
      check("cublasSetMathMode", cublasSetMathMode(handle, CUBLAS_PEDANTIC_MATH));
      done = true;
    } finally {
      if (!done) {
        close();
      }
    }
  }

  static void load() {
    Loader.load(org.bytedeco.cuda.global.cublas.class);
  }

  private static int operation(boolean transpose) {
    return transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
  }

  /** {@code c = alpha op(a) op(b) + beta c} in float, at device addresses. */
  void multiply(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      float alpha,
      long a,
      int strideA,
      long b,
      int strideB,
      float beta,
      long c,
      int strideC) {
    factor.put(0, alpha);
    keep.put(0, beta);
    check(
        "cublasSgemm",
        cublasSgemm_v2(
            handle,
            operation(transposeA),
            operation(transposeB),
            m,
            n,
            k,
            factor,
            DevicePointers.floats(a),
            strideA,
            DevicePointers.floats(b),
            strideB,
            keep,
            DevicePointers.floats(c),
            strideC));
  }

  /** {@code c = op(a) op(b)} in double, at device addresses. */
  void multiply(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      long a,
      int strideA,
      long b,
      int strideB,
      long c,
      int strideC) {
    check(
        "cublasDgemm",
        cublasDgemm_v2(
            handle,
            operation(transposeA),
            operation(transposeB),
            m,
            n,
            k,
            one,
            DevicePointers.doubles(a),
            strideA,
            DevicePointers.doubles(b),
            strideB,
            zero,
            DevicePointers.doubles(c),
            strideC));
  }

  private static void check(String call, int status) {
    if (status == 0) {
      return;
    }
    String name =
        switch (status) {
          case 1 -> "CUBLAS_STATUS_NOT_INITIALIZED";
          case 3 -> "CUBLAS_STATUS_ALLOC_FAILED";
          case 7 -> "CUBLAS_STATUS_INVALID_VALUE";
          case 8 -> "CUBLAS_STATUS_ARCH_MISMATCH";
          case 11 -> "CUBLAS_STATUS_MAPPING_ERROR";
          case 13 -> "CUBLAS_STATUS_EXECUTION_FAILED";
          case 14 -> "CUBLAS_STATUS_INTERNAL_ERROR";
          case 15 -> "CUBLAS_STATUS_NOT_SUPPORTED";
          case 16 -> "CUBLAS_STATUS_LICENSE_ERROR";
          default -> "status " + status;
        };
    if (status == 3) {
      throw new OutOfMemoryError(call + ": " + name);
    }
    throw new IllegalStateException(call + ": " + name);
  }

  @Override
  public void close() {
    check("cublasDestroy", cublasDestroy_v2(handle));
    factor.close();
    keep.close();
    one.close();
    zero.close();
  }
}
