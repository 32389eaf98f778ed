package org.fettle.internal.algebra;

import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;
import static org.bytedeco.openblas.global.openblas.cblas_dgemm;
import static org.bytedeco.openblas.global.openblas.cblas_sgemm;

import java.lang.ref.Reference;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.fettle.Tensor;

/** OpenBLAS through its JavaCPP preset, an optional dependency. Its threads are its own. */
final class OpenBlasProducts implements Products {
  private OpenBlasProducts() {}

  static OpenBlasProducts create() {
    try {
      Loader.load(org.bytedeco.openblas.global.openblas.class);
    } catch (LinkageError e) {
      throw new IllegalStateException(
          "steps with matrix products on backend cpu need OpenBLAS: add org.bytedeco:openblas and"
              + " its jar for this platform (classifier linux-x86_64) to the class path; "
              + e,
          e);
    }
    return new OpenBlasProducts();
  }

  /** A tensor's memory as OpenBLAS reads it. */
  private static final class View extends FloatPointer {
    private static final long serialVersionUID = 1;

    View(Tensor tensor) {
      super((Pointer) null);
      address = tensor.address();
      limit = tensor.elements();
      capacity = tensor.elements();
    }
  }

  @Override
  public void multiply(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      float alpha,
      Tensor a,
      Tensor b,
      float beta,
      Tensor c) {
    if (m == 0 || n == 0) {
      return;
    }
    try {
      cblas_sgemm(
          CblasRowMajor,
          transposeA ? CblasTrans : CblasNoTrans,
          transposeB ? CblasTrans : CblasNoTrans,
          m,
          n,
          k,
          alpha,
          new View(a),
          Math.max(1, transposeA ? m : k),
          new View(b),
          Math.max(1, transposeB ? k : n),
          beta,
          new View(c),
          n);
    } finally {
      Reference.reachabilityFence(a);
      Reference.reachabilityFence(b);
      Reference.reachabilityFence(c);
    }
  }

  @Override
  public Matrix multiply(Matrix a, boolean transposeA, Matrix b, boolean transposeB) {
    int m = transposeA ? a.columns : a.rows;
    int k = transposeA ? a.rows : a.columns;
    int n = transposeB ? b.rows : b.columns;
    Matrix c = Matrix.zeros(m, n);
    if (m == 0 || n == 0 || k == 0) {
      return c;
    }
    cblas_dgemm(
        CblasRowMajor,
        transposeA ? CblasTrans : CblasNoTrans,
        transposeB ? CblasTrans : CblasNoTrans,
        m,
        n,
        k,
        1.0,
        a.values,
        a.columns,
        b.values,
        b.columns,
        0.0,
        c.values,
        n);
    return c;
  }
}
