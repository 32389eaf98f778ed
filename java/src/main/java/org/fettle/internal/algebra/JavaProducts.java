package org.fettle.internal.algebra;

import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.ojalgo.matrix.store.MatrixStore;
import org.ojalgo.matrix.store.R064Store;

/** ojAlgo's products, in double whatever the format. */
final class JavaProducts implements Products {
  private final Engine engine;

  JavaProducts(Engine engine) {
    this.engine = engine;
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
    Matrix first = Matrix.of(engine, a, transposeA ? k : m, transposeA ? m : k);
    Matrix second = Matrix.of(engine, b, transposeB ? n : k, transposeB ? k : n);
    Matrix product = multiply(first, transposeA, second, transposeB);
    if (beta == 0f) {
      product.scale(alpha);
    } else {
      product.mix(alpha, beta, Matrix.of(engine, c, m, n));
    }
    product.writeTo(engine, c);
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
    // ojAlgo's order is by columns, so what it sees are the transposes: c' = op(b)' op(a)'.
    R064Store.wrap(c.values, n).fillByMultiplying(store(b, transposeB), store(a, transposeA));
    return c;
  }

  private static MatrixStore<Double> store(Matrix matrix, boolean transpose) {
    R064Store store = R064Store.wrap(matrix.values, matrix.columns);
    return transpose ? store.transpose() : store;
  }
}
