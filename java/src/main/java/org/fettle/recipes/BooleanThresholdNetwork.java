package org.fettle.recipes;

import java.util.Arrays;
import org.fettle.Range;

/**
 * Training a network of Boolean threshold functions by relaxed reflections and relaxation (RRR,
 * arXiv:2602.17493). Every item of the data has its own copy of the weight and the input of every
 * edge and of the output of every node; two projections are alternated: onto the threshold function
 * of every neuron ({@link BooleanThreshold}), and onto agreement between copies. In double, on the
 * host.
 *
 * <p>Nodes are numbered constant, inputs, hidden layers, outputs. Node 0 is a constant -1 that
 * feeds every neuron.
 */
public final class BooleanThresholdNetwork {
  private final BooleanThreshold threshold;
  private final double beta;
  private final double gamma;
  private final int items;
  private final int nodes;
  private final int inputs;
  private final int outputs;
  private final int[] receiver;
  private final int[] sender;
  private final int[][] incoming;
  private final double[][] dataIn;
  private final double[][] dataOut;
  private final double[][] w;
  private final double[][] x;
  private final double[][] y;
  private final double[][] metric;
  private double[] agreed = new double[0];
  private double gap = Double.NaN;

  /**
   * A network at its start.
   *
   * @param sigma of the margin
   * @param beta of the relaxation, 0.2 suggested
   * @param gamma of the metric's adaptation, 1e-3 suggested; 0 keeps it
   * @param nodes all nodes, the constant among them
   * @param receiver the node that every edge feeds
   * @param sender the node that every edge comes from
   * @param dataIn 1 and -1, [items][inputs]
   * @param dataOut 1 and -1, [items][outputs]
   * @param w start, [items][edges]
   * @param x start, [items][edges]
   * @param y start, [items][nodes]
   */
  public BooleanThresholdNetwork(
      double sigma,
      double beta,
      double gamma,
      int nodes,
      int[] receiver,
      int[] sender,
      double[][] dataIn,
      double[][] dataOut,
      double[][] w,
      double[][] x,
      double[][] y) {
    threshold = new BooleanThreshold(sigma);
    Range.finite("beta", beta);
    Range.check("gamma", gamma, gamma >= 0 && gamma <= 1, "0 to 1");
    this.beta = beta;
    this.gamma = gamma;
    this.nodes = nodes;
    items = dataIn.length;
    Range.check("items", items, items >= 1, ">= 1");
    inputs = dataIn[0].length;
    outputs = dataOut[0].length;
    this.receiver = receiver.clone();
    this.sender = sender.clone();
    check("sender", sender.length, receiver.length);
    for (int e = 0; e < receiver.length; e++) {
      Range.check(
          "receiver " + e, receiver[e], receiver[e] > inputs && receiver[e] < nodes, "a neuron");
      Range.check("sender " + e, sender[e], sender[e] >= 0 && sender[e] < nodes, "a node");
    }
    this.dataIn = copy("dataIn", dataIn, inputs);
    this.dataOut = copy("dataOut", dataOut, outputs);
    this.w = copy("w", w, receiver.length);
    this.x = copy("x", x, receiver.length);
    this.y = copy("y", y, nodes);
    metric = new double[items][nodes];
    for (double[] row : metric) {
      Arrays.fill(row, 1.0);
    }
    incoming = new int[nodes][];
    for (int node = 0; node < nodes; node++) {
      int own = node;
      incoming[node] =
          java.util.stream.IntStream.range(0, receiver.length)
              .filter(e -> receiver[e] == own)
              .toArray();
    }
  }

  private double[][] copy(String name, double[][] values, int width) {
    check(name, values.length, items);
    double[][] copy = new double[items][];
    for (int i = 0; i < items; i++) {
      check(name + " of item " + i, values[i].length, width);
      copy[i] = values[i].clone();
    }
    return copy;
  }

  private static void check(String name, int actual, int expected) {
    if (actual != expected) {
      throw new IllegalArgumentException(
          name + " has " + actual + " elements: expected " + expected);
    }
  }

  private static double[][] copy(double[][] values) {
    return Arrays.stream(values).map(double[]::clone).toArray(double[][]::new);
  }

  /** One iteration: {@code z += beta (B(2 A(z) - z) - A(z))}, then the metric. */
  public void step() {
    double[][] wa = copy(w);
    double[][] xa = copy(x);
    double[][] ya = copy(y);
    projectNeurons(wa, xa, ya);
    double[][] wb = reflected(wa, w);
    double[][] xb = reflected(xa, x);
    double[][] yb = reflected(ya, y);
    projectAgreement(wb, xb, yb);
    double[][] squares = new double[items][nodes];
    double total = 0.0;
    int neurons = 0;
    for (int node = inputs + 1; node < nodes; node++) {
      neurons++;
      for (int item = 0; item < items; item++) {
        double sum = square(yb[item][node] - ya[item][node]);
        for (int e : incoming[node]) {
          sum += square(wb[item][e] - wa[item][e]) + square(xb[item][e] - xa[item][e]);
        }
        squares[item][node] = sum;
        total += sum;
      }
    }
    move(w, wa, wb);
    move(x, xa, xb);
    move(y, ya, yb);
    double mean = total / ((double) items * neurons);
    gap = Math.sqrt(mean);
    for (int item = 0; item < items && mean > 0.0; item++) {
      for (int node = inputs + 1; node < nodes; node++) {
        metric[item][node] += gamma * (squares[item][node] / mean - metric[item][node]);
      }
    }
  }

  private static double square(double value) {
    return value * value;
  }

  private static double[][] reflected(double[][] projected, double[][] from) {
    double[][] result = copy(projected);
    for (int i = 0; i < result.length; i++) {
      for (int j = 0; j < result[i].length; j++) {
        result[i][j] = 2.0 * projected[i][j] - from[i][j];
      }
    }
    return result;
  }

  private void move(double[][] z, double[][] a, double[][] b) {
    for (int i = 0; i < z.length; i++) {
      for (int j = 0; j < z[i].length; j++) {
        z[i][j] += beta * (b[i][j] - a[i][j]);
      }
    }
  }

  /** A: every neuron of every item to its threshold function; inputs to the data. */
  private void projectNeurons(double[][] w, double[][] x, double[][] y) {
    for (int item = 0; item < items; item++) {
      y[item][0] = -1.0;
      System.arraycopy(dataIn[item], 0, y[item], 1, inputs);
      for (int node = inputs + 1; node < nodes; node++) {
        int[] edges = incoming[node];
        double[] weights = new double[edges.length];
        double[] values = new double[edges.length];
        for (int k = 0; k < edges.length; k++) {
          weights[k] = w[item][edges[k]];
          values[k] = x[item][edges[k]];
        }
        y[item][node] = threshold.project(weights, values, y[item][node]);
        for (int k = 0; k < edges.length; k++) {
          w[item][edges[k]] = weights[k];
          x[item][edges[k]] = values[k];
        }
      }
    }
  }

  /** B: one weight per edge, one value per node and item; outputs to the data. */
  private void projectAgreement(double[][] w, double[][] x, double[][] y) {
    agreed = new double[receiver.length];
    for (int e = 0; e < receiver.length; e++) {
      double sum = 0.0;
      double weight = 0.0;
      for (int item = 0; item < items; item++) {
        double g = metric[item][receiver[e]];
        sum += g * w[item][e];
        weight += g;
      }
      agreed[e] = sum / weight;
    }
    for (int node = inputs + 1; node < nodes; node++) {
      double norm = 0.0;
      for (int e : incoming[node]) {
        norm += agreed[e] * agreed[e];
      }
      double factor = norm > 0.0 ? Math.sqrt(incoming[node].length) / Math.sqrt(norm) : 1.0;
      for (int e : incoming[node]) {
        agreed[e] *= factor;
      }
    }
    int firstOutput = nodes - outputs;
    for (int item = 0; item < items; item++) {
      System.arraycopy(agreed, 0, w[item], 0, agreed.length);
      double[] sum = new double[nodes];
      double[] weight = new double[nodes];
      for (int node = 0; node < firstOutput; node++) {
        sum[node] = metric[item][node] * y[item][node];
        weight[node] = metric[item][node];
      }
      for (int e = 0; e < receiver.length; e++) {
        double g = metric[item][receiver[e]];
        sum[sender[e]] += g * x[item][e];
        weight[sender[e]] += g;
      }
      for (int node = 0; node < firstOutput; node++) {
        y[item][node] = sum[node] / weight[node];
      }
      System.arraycopy(dataOut[item], 0, y[item], firstOutput, outputs);
      for (int e = 0; e < receiver.length; e++) {
        x[item][e] = y[item][sender[e]];
      }
    }
  }

  /** The weight copies, [items][edges]. */
  public double[][] weights() {
    return copy(w);
  }

  /** The input copies, [items][edges]. */
  public double[][] inputs() {
    return copy(x);
  }

  /** The outputs, [items][nodes]. */
  public double[][] outputs() {
    return copy(y);
  }

  /** The metric, [items][nodes]. */
  public double[][] metric() {
    return copy(metric);
  }

  /** The weights on which all items agree after the last step, [edges]. */
  public double[] agreedWeights() {
    return agreed.clone();
  }

  /** The root of the mean squared gap between the projections; below 0.01 it is done. */
  public double gap() {
    return gap;
  }
}
