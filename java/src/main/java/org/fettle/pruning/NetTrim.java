package org.fettle.pruning;

import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * Net-Trim: the sparsest weights, by their l1 norm, that give a layer's outputs within eps.
 *
 * <pre>{@code
 * min |W|_1  with  |W'X - Y| <= eps where Y is active (more than 1e-6), W'X <= V elsewhere
 * }</pre>
 *
 * <p>By the alternating direction method of multipliers, everything scaled by {@code 0.3
 * sqrt(max(XX'))}; it ends when W's change is below {@code 5e-9 N M}, or after the iterations
 * given. In double. Source: Aghasi et al., arXiv:1611.05162; DNNToolBox/Net-Trim.
 */
public final class NetTrim {
  private static final double ACTIVE = 1e-6;

  private final Options options;
  private final Layer layer;
  private final Products products;

  /**
   * The hyperparameters.
   *
   * @param eps how far the outputs may be off, at least 0
   * @param rho penalty, more than 0
   * @param iterations the most iterations, at least 0
   */
  public record Options(double eps, double rho, int iterations) {
    /** Checks the numbers. */
    public Options {
      Range.nonNegative("eps", eps);
      Range.positive("rho", rho);
      Range.check("iterations", iterations, iterations >= 0, ">= 0");
    }
  }

  /** A solver on that backend's BLAS. */
  public NetTrim(Backend backend, Options options) {
    this.options = options;
    layer = new Layer(backend);
    products = Products.of(Access.engine(backend));
  }

  /**
   * Finds a layer's weights.
   *
   * @param x the layer's inputs: N x P, P samples: F32, F64, BF16 or F16
   * @param y the layer's outputs: M x P
   * @param v the bound where y is not active: M x P; null if every sample is active (no rectifier)
   * @param weight receives W: N x M
   * @return the norm of W's last change
   */
  public double solve(Tensor x, Tensor y, Tensor v, Tensor weight, Progress progress) {
    layer.check("x", x, -1, -1);
    long samples = x.shape()[1];
    layer.check("y", y, -1, samples);
    if (v != null) {
      layer.check("v", v, y.shape()[0], samples);
    }
    layer.check("weight", weight, x.shape()[0], y.shape()[0]);
    Matrix inputs = layer.matrix(x);
    Matrix c = products.multiply(inputs, false, inputs, true);
    double largest = 0;
    for (double value : c.values()) {
      largest = Math.max(largest, value);
    }
    if (!(largest > 0) || !c.isFinite()) {
      throw new IllegalArgumentException("x holds only zeros or is not finite: expected inputs");
    }
    State state =
        new State(inputs, layer.matrix(y), v == null ? null : layer.matrix(v), c, largest);
    double residual = state.iterate(progress);
    layer.write(weight, state.sparse.values());
    return residual;
  }

  private final class State {
    final Matrix x;
    final Matrix y;
    final Matrix v;
    final double eps;
    final Matrix inverse;
    final Matrix outputs;
    final Matrix outputDual;
    Matrix sparse;
    final Matrix sparseDual;
    Matrix dense;

    State(Matrix x, Matrix y, Matrix v, Matrix c, double largest) {
      double scale = 0.3 * Math.sqrt(largest);
      this.x = divided(x, scale);
      this.y = divided(y, scale);
      this.v = v == null ? null : divided(v, scale);
      eps = options.eps / scale;
      inverse = products.algebra().inverse(divided(c, scale * scale).addToDiagonal(1));
      outputs = Matrix.zeros(y.rows(), y.columns());
      outputDual = Matrix.zeros(y.rows(), y.columns());
      sparse = Matrix.zeros(x.rows(), y.rows());
      sparseDual = Matrix.zeros(x.rows(), y.rows());
      dense = Matrix.zeros(x.rows(), y.rows());
    }

    double iterate(Progress progress) {
      double threshold = 5e-9 * y.rows() * x.rows();
      double change = 0;
      for (int k = 0; k < options.iterations; k++) {
        project(products.multiply(dense, true, x, false).mix(1, -1, outputDual));
        shrink();
        Matrix both = outputs.copy().mix(1, 1, outputDual);
        Matrix right = products.multiply(x, false, both, true);
        right.mix(1, 1, sparse).mix(1, 1, sparseDual);
        Matrix next = products.multiply(inverse, right);
        change = next.copy().mix(1, -1, dense).norm();
        dense = next;
        outputDual.mix(1, 1, outputs).mix(1, -1, products.multiply(dense, true, x, false));
        sparseDual.mix(1, 1, sparse).mix(1, -1, dense);
        progress.at(k + 1, options.iterations, change);
        if (change < threshold) {
          break;
        }
      }
      return change;
    }

    private boolean isActive(int i) {
      return v == null || y.values()[i] > ACTIVE;
    }

    /** The nearest outputs that the constraints allow. */
    private void project(Matrix z) {
      double square = 0;
      for (int i = 0; i < z.values().length; i++) {
        double d = isActive(i) ? z.values()[i] - y.values()[i] : 0;
        square += d * d;
      }
      double length = Math.max(Math.sqrt(square), eps);
      double gain = length == 0 ? 0 : eps / length;
      for (int i = 0; i < z.values().length; i++) {
        double value = z.values()[i];
        outputs.values()[i] =
            isActive(i)
                ? y.values()[i] + gain * (value - y.values()[i])
                : value - Math.max(value - v.values()[i], 0);
      }
    }

    private void shrink() {
      Matrix next = dense.copy().mix(1, -1, sparseDual);
      double[] values = next.values();
      for (int i = 0; i < values.length; i++) {
        values[i] = Math.signum(values[i]) * Math.max(Math.abs(values[i]) - 1 / options.rho, 0);
      }
      sparse = next;
    }
  }

  private static Matrix divided(Matrix matrix, double divisor) {
    Matrix result = matrix.copy();
    for (int i = 0; i < result.values().length; i++) {
      result.values()[i] /= divisor;
    }
    return result;
  }
}
