package org.fettle.internal.algebra;

import java.lang.ref.Reference;
import org.fettle.Tensor;
import org.fettle.internal.CudaEngine;

/**
 * cuBLAS through the CUDA preset, an optional dependency. Products of tensors are enqueued on the
 * device's default stream, on which everything else of the engine runs. Products in double come
 * from the heap, so only those of {@link CudaHandles#LEAST_PROPERTY} and more go to the device.
 */
final class CudaProducts implements Products {
  private final CudaHandles handles;
  private final CudaAlgebra algebra;
  private final JavaProducts host;

  private CudaProducts(CudaEngine engine) {
    handles = CudaHandles.of(engine);
    algebra = new CudaAlgebra(handles);
    host = new JavaProducts(engine);
  }

  static CudaProducts of(CudaEngine engine) {
    return new CudaProducts(engine);
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
    // cuBLAS's order is by columns, so what it sees are the transposes: c' = op(b)' op(a)'.
    try {
      handles.run(
          () ->
              handles
                  .blas()
                  .multiply(
                      transposeB,
                      transposeA,
                      n,
                      m,
                      k,
                      alpha,
                      b.address(),
                      Math.max(1, transposeB ? k : n),
                      a.address(),
                      Math.max(1, transposeA ? m : k),
                      beta,
                      c.address(),
                      n));
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
    if (!CudaHandles.isLarge(m, n, k)) {
      return host.multiply(a, transposeA, b, transposeB);
    }
    Matrix c = Matrix.zeros(m, n);
    handles.run(
        () -> {
          DeviceDoubles memory = handles.memory();
          memory.lay(a.values.length, b.values.length, c.values.length);
          memory.write(0, a.values);
          memory.write(1, b.values);
          handles
              .blas()
              .multiply(
                  transposeB,
                  transposeA,
                  n,
                  m,
                  k,
                  memory.address(1),
                  b.columns,
                  memory.address(0),
                  a.columns,
                  memory.address(2),
                  n);
          memory.read(2, c.values);
        });
    return c;
  }

  @Override
  public Algebra algebra() {
    return algebra;
  }
}
