package org.fettle.recipes;

import java.util.Arrays;
import java.util.SplittableRandom;

/** {@code y = x + relu(x A + a) B + b} over one window, its gradient, and Adam. */
final class ResidualNetwork {
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPS = 1e-8;

  private final int window;
  private final int hidden;

  /** A by rows, a, B by rows, b, one behind the other. */
  private final double[] parameters;

  private final double[] gradients;
  private final double[] first;
  private final double[] second;
  private final double[] units;
  private int steps;

  ResidualNetwork(int window, int hidden, SplittableRandom random) {
    this.window = window;
    this.hidden = hidden;
    long size = 2L * window * hidden + hidden + window;
    parameters = new double[Math.toIntExact(size)];
    gradients = new double[parameters.length];
    first = new double[parameters.length];
    second = new double[parameters.length];
    units = new double[hidden];
    // B and b start at 0, so that the network starts as the identity.
    double bound = 1.0 / Math.sqrt(window);
    for (int i = 0; i < window * hidden; i++) {
      parameters[i] = (2.0 * random.nextDouble() - 1.0) * bound;
    }
  }

  private int bias() {
    return window * hidden;
  }

  private int back() {
    return window * hidden + hidden;
  }

  private int backBias() {
    return 2 * window * hidden + hidden;
  }

  /** Keeps the hidden units for {@link #backward}. */
  void forward(double[] in, double[] out) {
    for (int j = 0; j < hidden; j++) {
      double sum = parameters[bias() + j];
      for (int i = 0; i < window; i++) {
        sum += in[i] * parameters[i * hidden + j];
      }
      units[j] = Math.max(0.0, sum);
    }
    for (int i = 0; i < window; i++) {
      double sum = in[i] + parameters[backBias() + i];
      for (int j = 0; j < hidden; j++) {
        sum += units[j] * parameters[back() + j * window + i];
      }
      out[i] = sum;
    }
  }

  /** Forgets the gradients. */
  void begin() {
    Arrays.fill(gradients, 0.0);
  }

  /** Adds the gradients of the window that {@link #forward} saw last. */
  void backward(double[] in, double[] gradient) {
    for (int i = 0; i < window; i++) {
      gradients[backBias() + i] += gradient[i];
    }
    for (int j = 0; j < hidden; j++) {
      if (units[j] > 0.0) {
        double sum = 0.0;
        for (int i = 0; i < window; i++) {
          int at = back() + j * window + i;
          gradients[at] += units[j] * gradient[i];
          sum += parameters[at] * gradient[i];
        }
        gradients[bias() + j] += sum;
        for (int i = 0; i < window; i++) {
          gradients[i * hidden + j] += in[i] * sum;
        }
      }
    }
  }

  void step(double learningRate) {
    steps++;
    double correction1 = 1.0 - StrictMath.pow(BETA1, steps);
    double correction2 = 1.0 - StrictMath.pow(BETA2, steps);
    for (int i = 0; i < parameters.length; i++) {
      double g = gradients[i];
      first[i] = BETA1 * first[i] + (1.0 - BETA1) * g;
      second[i] = BETA2 * second[i] + (1.0 - BETA2) * g * g;
      double denominator = Math.sqrt(second[i] / correction2) + EPS;
      parameters[i] -= learningRate * (first[i] / correction1) / denominator;
    }
  }
}
