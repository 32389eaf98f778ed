package org.fettle.recipes;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.algebra.Matrix;

/**
 * ProWD's progressive dequantizer (arXiv:2202.11453, known from its abstract; the shape of the
 * networks is ours): a chain of small residual networks, each of which takes weights of one bit
 * width to the next. A network goes over windows of neighbouring weights, divided by the largest
 * magnitude of the tensor: {@code y = x + relu(x A + a) B + b}. Before any training it is the
 * identity. In double, on the host, so that every backend gets the same values.
 */
public final class ProgressiveDequantizer {
  private final int[] bits;
  private final int window;
  private final List<ResidualNetwork> networks = new ArrayList<>();

  /**
   * An untrained chain.
   *
   * @param bits the widths in ascending order, such as 2, 4, 8, 32; at least two
   * @param window how many neighbouring weights a network sees; default of the tests 16
   * @param hidden how many hidden units it has
   * @param seed of the networks' start
   */
  public ProgressiveDequantizer(List<Integer> bits, int window, int hidden, long seed) {
    Range.check("number of widths", bits.size(), bits.size() >= 2, ">= 2");
    Range.check("window", window, window >= 1, ">= 1");
    Range.check("hidden", hidden, hidden >= 1, ">= 1");
    this.bits = bits.stream().mapToInt(Integer::intValue).toArray();
    for (int k = 0; k < this.bits.length; k++) {
      int least = k == 0 ? 1 : this.bits[k - 1] + 1;
      Range.check("width " + k, this.bits[k], this.bits[k] >= least, ">= " + least);
    }
    this.window = window;
    SplittableRandom random = new SplittableRandom(seed);
    for (int k = 0; k + 1 < this.bits.length; k++) {
      networks.add(new ResidualNetwork(window, hidden, random));
    }
  }

  /** The bit widths, ascending. */
  public List<Integer> bits() {
    return Arrays.stream(bits).boxed().toList();
  }

  /**
   * One step of Adam (beta 0.9 and 0.999) on the network that starts at a width, over all windows
   * of a tensor. The loss is the mean square of the difference to the true weights in units of the
   * largest magnitude; the gradient of any other loss with respect to the network's output, such as
   * a distillation loss, is added as it is.
   *
   * @param backend what holds the tensors
   * @param from the width that {@code low} has
   * @param low F32, weights as that width stores them
   * @param high F32 of the same shape, the same weights at the next width
   * @param otherGradient F32 of the same shape, or null
   * @param learningRate &gt; 0
   * @return the reconstruction loss before the step
   * @throws IllegalArgumentException for a width that has no successor or a tensor that does not
   *     fit
   */
  public double train(
      Backend backend,
      int from,
      Tensor low,
      Tensor high,
      Tensor otherGradient,
      double learningRate) {
    Range.positive("learningRate", learningRate);
    ResidualNetwork network = networks.get(place("from", from, bits.length - 1));
    TensorChecks checks =
        new TensorChecks(backend)
            .like("high", high, low)
            .reads("low", low, DType.F32)
            .reads("high", high, DType.F32);
    if (otherGradient != null) {
      checks.like("otherGradient", otherGradient, low);
      checks.reads("otherGradient", otherGradient, DType.F32);
    }
    Engine engine = checks.done();
    Range.check("elements of low", low.elements(), low.elements() >= 1, ">= 1");
    double[] x = Matrix.read(engine, low);
    double[] target = Matrix.read(engine, high);
    double[] other = otherGradient == null ? null : Matrix.read(engine, otherGradient);
    double scale = scaleOf(x);
    double n = x.length;
    double loss = 0.0;
    double[] in = new double[window];
    double[] out = new double[window];
    double[] gradient = new double[window];
    network.begin();
    for (int at = 0; at < x.length; at += window) {
      int count = load(x, at, scale, in);
      network.forward(in, out);
      Arrays.fill(gradient, 0.0);
      for (int i = 0; i < count; i++) {
        double difference = out[i] - target[at + i] / scale;
        loss += difference * difference;
        gradient[i] = 2.0 * difference / n + (other == null ? 0.0 : other[at + i] * scale);
      }
      network.backward(in, gradient);
    }
    network.step(learningRate);
    return loss / n;
  }

  /**
   * Takes weights from one width to another through all networks between.
   *
   * @param backend what holds the tensors
   * @param from the width that {@code weights} have
   * @param to a larger width of the chain
   * @param weights F32
   * @param output F32 of the same shape; may be the weights
   * @throws IllegalArgumentException for a width that the chain has not, or a tensor that does not
   *     fit; nothing was written
   */
  public void raise(Backend backend, int from, int to, Tensor weights, Tensor output) {
    int first = place("from", from, bits.length - 1);
    int last = place("to", to, bits.length);
    Range.check("to", to, last > first, "> " + from);
    Engine engine =
        new TensorChecks(backend)
            .like("output", output, weights)
            .maps("weights", weights, "output", output, DType.F32)
            .done();
    double[] x = Matrix.read(engine, weights);
    double[] in = new double[window];
    double[] out = new double[window];
    for (ResidualNetwork network : networks.subList(first, last)) {
      double scale = scaleOf(x);
      for (int at = 0; at < x.length; at += window) {
        int count = load(x, at, scale, in);
        network.forward(in, out);
        for (int i = 0; i < count; i++) {
          x[at + i] = out[i] * scale;
        }
      }
    }
    Matrix.write(engine, output, x);
  }

  private int place(String name, int width, int end) {
    for (int k = 0; k < end; k++) {
      if (bits[k] == width) {
        return k;
      }
    }
    throw new IllegalArgumentException(
        name + " is " + width + ": expected one of " + bits().subList(0, end));
  }

  /** A window in units of the scale, padded with zeros; answers how many weights it has. */
  private int load(double[] x, int at, double scale, double[] in) {
    int count = Math.min(window, x.length - at);
    for (int i = 0; i < window; i++) {
      in[i] = i < count ? x[at + i] / scale : 0.0;
    }
    return count;
  }

  /** The largest magnitude; 1 where there is none to divide by. */
  private static double scaleOf(double[] x) {
    double largest = 0.0;
    for (double value : x) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest > 0.0 ? largest : 1.0;
  }
}
