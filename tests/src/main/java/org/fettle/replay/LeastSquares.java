package org.fettle.replay;

/**
 * The loss of the vectors of accelerated gradient: {@code |X b - y|^2 / (2 samples)}, in double.
 */
final class LeastSquares {
  private static final int ITERATIONS = 20_000;

  private final double[][] x;
  private final double[] y;
  private final int coordinates;

  LeastSquares(Values design, double[] y) {
    int samples = (int) design.shape()[0];
    coordinates = (int) design.shape()[1];
    x = new double[samples][coordinates];
    for (int i = 0; i < samples; i++) {
      for (int j = 0; j < coordinates; j++) {
        x[i][j] = design.get(i * coordinates + j);
      }
    }
    this.y = y;
  }

  double[] gradient(double[] at) {
    double[] residual = times(at);
    for (int i = 0; i < residual.length; i++) {
      residual[i] -= y[i];
    }
    return transposedTimes(residual);
  }

  /** The largest eigenvalue of X'X / samples, by the power method. */
  double lipschitz() {
    double[] v = new double[coordinates];
    for (int j = 0; j < coordinates; j++) {
      v[j] = 1 + 0.01 * j;
    }
    double value = 0;
    for (int k = 0; k < ITERATIONS; k++) {
      double length = Math.sqrt(dot(v, v));
      for (int j = 0; j < coordinates; j++) {
        v[j] /= length;
      }
      double[] next = transposedTimes(times(v));
      value = dot(v, next);
      v = next;
    }
    return value;
  }

  private double[] times(double[] b) {
    double[] product = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      product[i] = dot(x[i], b);
    }
    return product;
  }

  private double[] transposedTimes(double[] r) {
    double[] product = new double[coordinates];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < coordinates; j++) {
        product[j] += x[i][j] * r[i] / x.length;
      }
    }
    return product;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
