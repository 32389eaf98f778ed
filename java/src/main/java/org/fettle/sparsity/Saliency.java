package org.fettle.sparsity;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.ScoreKernels;

/**
 * Scores of single weights at initialization, over all tensors of a network. Weights, gradients and
 * scores are F32 tensors; sums are in double. A total of 0 gives scores of 0.
 */
public final class Saliency {
  private final Backend backend;

  private Saliency(Backend backend) {
    this.backend = backend;
  }

  /** Scores on a backend. */
  public static Saliency on(Backend backend) {
    return new Saliency(Objects.requireNonNull(backend, "backend"));
  }

  /** SNIP (arXiv:1810.02340): {@code |g w|} over the sum of all; the largest are kept. */
  public void snip(List<Tensor> weights, List<Tensor> gradients, List<Tensor> scores) {
    Engine engine = check(weights, "gradient", gradients, scores);
    double total = total(engine, weights, gradients, true);
    scale(engine, weights, gradients, scores, true, total);
  }

  /**
   * GraSP (arXiv:2002.07376): {@code -(w Hg) / (|sum of all| + 1e-10)}; the largest are
   * <em>removed</em>.
   *
   * @param hessianGradients the Hessian times the gradient
   */
  public void grasp(List<Tensor> weights, List<Tensor> hessianGradients, List<Tensor> scores) {
    Engine engine = check(weights, "Hessian times gradient", hessianGradients, scores);
    double total = total(engine, weights, hessianGradients, false);
    double divisor = total == 0 ? 0 : -(Math.abs(total) + 1e-10);
    scale(engine, weights, hessianGradients, scores, false, divisor);
  }

  /**
   * SynFlow (arXiv:2006.05467) of a chain of linear layers without biases: {@code |w_ij|} times the
   * flow from above times the flow from below. The largest are kept.
   *
   * @param weights [out, in] each, the first layer first; each takes what the one before gives
   * @return an exponent: the scores are to be thought multiplied by 2 to its power, which is 0
   *     unless floats could not hold them
   */
  public int synflow(List<Tensor> weights, List<Tensor> scores) {
    Engine engine = check(weights, null, null, scores);
    for (int i = 0; i < weights.size(); i++) {
      if (weights.get(i).rank() != 2) {
        throw new IllegalArgumentException(
            "weight " + i + " is " + weights.get(i) + ": expected 2 axes");
      }
      if (i > 0 && weights.get(i).shape()[1] != weights.get(i - 1).shape()[0]) {
        throw new IllegalArgumentException(
            "weight "
                + i
                + " is "
                + weights.get(i)
                + ": expected "
                + weights.get(i - 1).shape()[0]
                + " inputs, what weight "
                + (i - 1)
                + " gives");
      }
    }
    int layers = weights.size();
    List<Flow> below = new ArrayList<>();
    below.add(Flow.ones(weights.get(0).shape()[1]));
    for (int i = 0; i + 1 < layers; i++) {
      below.add(flow(engine, weights.get(i), below.get(i), true));
    }
    Flow[] above = new Flow[layers];
    above[layers - 1] = Flow.ones(weights.get(layers - 1).shape()[0]);
    for (int i = layers - 1; i > 0; i--) {
      above[i - 1] = flow(engine, weights.get(i), above[i], false);
    }
    int largest = Integer.MIN_VALUE;
    for (int i = 0; i < layers; i++) {
      largest = Math.max(largest, below.get(i).exponent() + above[i].exponent());
    }
    int common = Math.abs(largest) <= 60 ? 0 : largest;
    for (int i = 0; i < layers; i++) {
      Tensor weight = weights.get(i);
      int exponent = below.get(i).exponent() + above[i].exponent() - common;
      try (Scratch scratch = new Scratch(engine)) {
        engine.run(
            new KernelCall(ScoreKernels.FLOW_SCORES)
                .arrays(
                    weight,
                    scratch.doubles(above[i].values()),
                    scratch.doubles(below.get(i).values()),
                    scores.get(i))
                .integers(weight.shape()[0], weight.shape()[1])
                .numbers(Math.scalb(1.0, exponent))
                .units(weight.shape()[0], weight.elements()));
      }
    }
    return common;
  }

  /** Flow values times 2 to the exponent, so that no depth overflows. */
  private static final class Flow {
    private final double[] values;
    private final int exponent;

    Flow(double[] values, int exponent) {
      this.values = values;
      this.exponent = exponent;
    }

    double[] values() {
      return values;
    }

    int exponent() {
      return exponent;
    }

    static Flow ones(long n) {
      double[] values = new double[Math.toIntExact(n)];
      java.util.Arrays.fill(values, 1.0);
      return new Flow(values, 0);
    }

    static Flow normalized(double[] values, int exponent) {
      double largest = 0;
      for (double value : values) {
        largest = Math.max(largest, value);
      }
      if (!(largest > 0 && largest < Double.POSITIVE_INFINITY)) {
        return new Flow(values, exponent);
      }
      int shift = Math.getExponent(largest);
      for (int i = 0; i < values.length; i++) {
        values[i] = Math.scalb(values[i], -shift);
      }
      return new Flow(values, exponent + shift);
    }
  }

  private static Flow flow(Engine engine, Tensor weight, Flow from, boolean forward) {
    long rows = weight.shape()[0];
    long columns = weight.shape()[1];
    try (Scratch scratch = new Scratch(engine)) {
      Tensor out = scratch.tensor(DType.F64, forward ? rows : columns);
      engine.run(
          new KernelCall(forward ? ScoreKernels.FLOW_FORWARD : ScoreKernels.FLOW_BACKWARD)
              .arrays(weight, scratch.doubles(from.values()), out)
              .integers(rows, columns)
              .units(
                  forward ? rows : Selector.units(columns, ScoreKernels.FLOW_COLUMNS),
                  weight.elements()));
      return Flow.normalized(scratch.doubles(out), from.exponent());
    }
  }

  private static double total(
      Engine engine, List<Tensor> weights, List<Tensor> others, boolean magnitudes) {
    double total = 0;
    for (int i = 0; i < weights.size(); i++) {
      long n = weights.get(i).elements();
      long units = Selector.units(n, ScoreKernels.UNIT);
      try (Scratch scratch = new Scratch(engine)) {
        Tensor sums = scratch.tensor(DType.F64, units);
        engine.run(
            new KernelCall(ScoreKernels.PRODUCTS)
                .arrays(weights.get(i), others.get(i), sums)
                .integers(n, magnitudes ? 1 : 0)
                .units(units, n));
        for (double sum : scratch.doubles(sums)) {
          total += sum;
        }
      }
    }
    return total;
  }

  private static void scale(
      Engine engine,
      List<Tensor> weights,
      List<Tensor> others,
      List<Tensor> scores,
      boolean magnitudes,
      double divisor) {
    for (int i = 0; i < weights.size(); i++) {
      long n = weights.get(i).elements();
      engine.run(
          new KernelCall(ScoreKernels.SCALE)
              .arrays(weights.get(i), others.get(i), scores.get(i))
              .integers(n, magnitudes ? 1 : 0)
              .numbers(divisor)
              .units(Selector.units(n, ScoreKernels.UNIT), n));
    }
  }

  private Engine check(
      List<Tensor> weights, String otherName, List<Tensor> others, List<Tensor> scores) {
    if (weights.isEmpty()) {
      throw new IllegalArgumentException("no weights: expected at least one");
    }
    if (scores.size() != weights.size() || (others != null && others.size() != weights.size())) {
      throw new IllegalArgumentException(
          scores.size()
              + " scores"
              + (others == null ? "" : " and " + others.size() + " of " + otherName)
              + ": expected "
              + weights.size()
              + ", as many as weights");
    }
    TensorChecks checks = new TensorChecks(backend);
    for (int i = 0; i < weights.size(); i++) {
      Tensor weight = weights.get(i);
      checks.reads("weight " + i, weight, DType.F32);
      checks
          .writes("score " + i, scores.get(i), DType.F32)
          .like("score " + i, scores.get(i), weight);
      if (others != null) {
        String name = otherName + " " + i;
        checks.reads(name, others.get(i), DType.F32).like(name, others.get(i), weight);
      }
    }
    return checks.done();
  }
}
