package org.fettle.demo;

import static org.bytedeco.openblas.global.openblas.CblasNoTrans;
import static org.bytedeco.openblas.global.openblas.CblasRowMajor;
import static org.bytedeco.openblas.global.openblas.CblasTrans;
import static org.bytedeco.openblas.global.openblas.cblas_sgemm;

import org.fettle.Backend;
import org.fettle.Int8Linear;

/** The three products of a layer, for the first n rows of its mini-batch. */
interface Products {
  /** {@code output = input weight^T}. */
  void forward(Dense.Matrix input, Dense.Matrix weight, Dense.Matrix output, int n);

  /** {@code gradient = delta weight}. */
  void inputGradient(Dense.Matrix delta, Dense.Matrix weight, Dense.Matrix gradient, int n);

  /** {@code gradient = delta^T input}. */
  void weightGradient(Dense.Matrix delta, Dense.Matrix input, Dense.Matrix gradient, int n);

  /** OpenBLAS, in f32. */
  static Products openBlas() {
    return new Products() {
      @Override
      public void forward(Dense.Matrix input, Dense.Matrix weight, Dense.Matrix output, int n) {
        multiply(false, true, n, output.columns(), input.columns(), input, weight, output);
      }

      @Override
      public void inputGradient(
          Dense.Matrix delta, Dense.Matrix weight, Dense.Matrix gradient, int n) {
        multiply(false, false, n, gradient.columns(), delta.columns(), delta, weight, gradient);
      }

      @Override
      public void weightGradient(
          Dense.Matrix delta, Dense.Matrix input, Dense.Matrix gradient, int n) {
        multiply(true, false, delta.columns(), input.columns(), n, delta, input, gradient);
      }
    };
  }

  private static void multiply(
      boolean leftTransposed,
      boolean rightTransposed,
      int rows,
      int columns,
      int depth,
      Dense.Matrix left,
      Dense.Matrix right,
      Dense.Matrix to) {
    cblas_sgemm(
        CblasRowMajor,
        leftTransposed ? CblasTrans : CblasNoTrans,
        rightTransposed ? CblasTrans : CblasNoTrans,
        rows,
        columns,
        depth,
        1f,
        left.pointer(),
        left.columns(),
        right.pointer(),
        right.columns(),
        0f,
        to.pointer(),
        to.columns());
  }

  /** INT8 with exact sums, all three. */
  static Products int8(Backend backend) {
    Int8Linear linear = Int8Linear.on(backend, Int8Linear.Recipe.MIXED);
    return new Products() {
      @Override
      public void forward(Dense.Matrix input, Dense.Matrix weight, Dense.Matrix output, int n) {
        linear.forward(input.rows(n), weight.tensor(), null, output.rows(n));
      }

      @Override
      public void inputGradient(
          Dense.Matrix delta, Dense.Matrix weight, Dense.Matrix gradient, int n) {
        linear.inputGradient(delta.rows(n), weight.tensor(), gradient.rows(n));
      }

      @Override
      public void weightGradient(
          Dense.Matrix delta, Dense.Matrix input, Dense.Matrix gradient, int n) {
        linear.weightGradient(delta.rows(n), input.rows(n), gradient.tensor());
      }
    };
  }
}
