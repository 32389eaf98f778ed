package org.fettle.internal.algebra;

import org.fettle.Tensor;
import org.fettle.internal.CudaEngine;
import org.fettle.internal.Engine;

/**
 * Products of matrices by the library that belongs to a backend: OpenBLAS for cpu, cuBLAS for cuda,
 * ojAlgo for java. Their sums have an order of their own, so results agree within a tolerance and
 * not in their bits.
 */
public sealed interface Products permits JavaProducts, OpenBlasProducts, CudaProducts {
  /**
   * The products of a backend.
   *
   * @throws IllegalStateException if its library is missing; the message says what to add
   */
  static Products of(Engine engine) {
    if (engine.name().equals("java")) {
      return new JavaProducts(engine);
    }
    if (engine.name().startsWith("cpu")) {
      return OpenBlasProducts.create();
    }
    return CudaProducts.of((CudaEngine) engine);
  }

  /**
   * {@code c = alpha * op(a) * op(b) + beta * c}, op being the matrix or its transpose. F32 tensors
   * that the engine has allocated; op(a) is m x k, op(b) is k x n, c is m x n and none of the
   * others.
   */
  void multiply(
      boolean transposeA,
      boolean transposeB,
      int m,
      int n,
      int k,
      float alpha,
      Tensor a,
      Tensor b,
      float beta,
      Tensor c);

  /** op(a) * op(b), in double. */
  Matrix multiply(Matrix a, boolean transposeA, Matrix b, boolean transposeB);

  /** a * b, in double. */
  default Matrix multiply(Matrix a, Matrix b) {
    return multiply(a, false, b, false);
  }

  /** The factorisations that go with them. */
  default Algebra algebra() {
    return Algebra.host();
  }
}
