package org.fettle.steps;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;

/**
 * DHSPG, the step of Only-Train-Once: a group of weights (a row of the first axis) that the loss
 * needs least is penalised until it leaves its half-space, and then stays zero.
 *
 * <pre>
 * v = direction of SGD with momentum, or of Adam, whose moments start at g and g^2
 * score = unit(cos(x, v)) / 2 + unit(1 / (|x| / d + 1e-6)) / 2 over the groups of all layers ; the largest are penalised
 * lambda_i = lambda, or where x.v &lt; 0: clip(amplify * lo, lambda, lambda * hat), (lo + up) / 2 from up on,
 *   lo = -x.v / |x|, up = -|v|^2 |x| / x.v
 * x_new = x - lr v - lr lambda_i x / (|x| + 1e-8) ;  0 if x_new.x &lt; epsilon |x|^2
 * </pre>
 *
 * <p>The penalised groups are chosen once, in the step behind {@code startPruningSteps}; penalties
 * last until the share of zero groups has reached the target. Inner products by the fixed-order
 * reduction, what follows from them in double. Three passes: the direction, the inner products, the
 * update. Source: Chen et al., arXiv:2303.06862; tianyic/only_train_once, the revision before
 * HESSO.
 */
public final class Dhspg extends StepObject {
  private static final int ZEROS = 1 << 20;

  private final DhspgOptions options;
  private final int layers;
  private final int groups;
  private final int[] layerOf;
  private final long[] size;
  private final Tensor[] rows;
  private final Tensor[] directions;
  private final BatchRunner gradients;
  private final BatchRunner moments;
  private final BatchRunner products;
  private final BatchRunner update;
  private final boolean[] penalised;
  private final boolean[] zero;
  private long step;

  /**
   * A step over these parameters: each has at least one axis, and its first axis counts the groups.
   */
  public Dhspg(Backend backend, DhspgOptions options, List<Parameter> parameters) {
    super(backend);
    this.options = options;
    check(parameters).done();
    layers = parameters.size();
    List<Batch.Item> decayed = new ArrayList<>();
    List<Batch.Item> averaged = new ArrayList<>();
    List<Batch.Item> inner = new ArrayList<>();
    List<Batch.Item> updates = new ArrayList<>();
    List<Tensor> rowList = new ArrayList<>();
    List<Integer> owners = new ArrayList<>();
    directions = new Tensor[layers];
    for (int i = 0; i < layers; i++) {
      Tensor x = parameters.get(i).value();
      if (x.rank() < 1) {
        throw new IllegalArgumentException(
            "tensor " + i + " is " + x + ": expected an axis of groups");
      }
      Tensor v = allocate(x.shape());
      directions[i] = v;
      Tensor g = parameters.get(i).gradient();
      if (options.adam()) {
        Tensor decayedGradient = allocate(x.shape());
        Tensor m = allocate(x.shape());
        Tensor second = allocate(x.shape());
        decayed.add(Batch.Item.of(Primitive.LINEAR, g, x, decayedGradient));
        averaged.add(
            Batch.Item.of(Primitive.ADAM_DIRECTION, m, second, decayedGradient, m, second, v));
      } else {
        Tensor decayedGradient = allocate(x.shape());
        decayed.add(Batch.Item.of(Primitive.LINEAR, g, x, decayedGradient));
        averaged.add(Batch.Item.of(Primitive.LINEAR, v, decayedGradient, v));
      }
      for (long row = 0; row < x.shape()[0]; row++) {
        Tensor xRow = Shapes.row(x, row);
        Tensor vRow = Shapes.row(v, row);
        rowList.add(xRow);
        owners.add(i);
        inner.add(Batch.Item.of(Primitive.PROJECTION_SUMS, xRow, vRow));
        updates.add(Batch.Item.of(Primitive.LINEAR, xRow, vRow, xRow));
      }
    }
    groups = rowList.size();
    rows = rowList.toArray(Tensor[]::new);
    layerOf = owners.stream().mapToInt(Integer::intValue).toArray();
    size = Arrays.stream(rows).mapToLong(Tensor::elements).toArray();
    penalised = new boolean[groups];
    zero = new boolean[groups];
    gradients = open(decayed);
    moments = open(averaged);
    products = open(inner);
    update = open(updates);
  }

  /** One step with the learning rate of the options. */
  public void step() {
    step(options.lr());
  }

  /**
   * One step.
   *
   * @param lr this step's learning rate
   */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      step++;
      formDirection();
      products.run();
      Products p = new Products();
      if (step - 1 == options.startPruningSteps()) {
        choose(p);
      }
      boolean started = step - 1 >= options.startPruningSteps();
      boolean penalising = started && zeroShare() < options.targetGroupSparsity();
      double decay = options.decoupled() ? 1 - lr * options.weightDecay() : 1;
      for (int i = 0; i < groups; i++) {
        double keep = decay;
        if (started) {
          zero[i] = zero[i] || p.xx[i] == 0;
        }
        if (penalising && penalised[i] && !zero[i]) {
          double length = Math.sqrt(p.xx[i]);
          keep = decay - lr * penalty(p, i) / (length + 1e-8);
          zero[i] = keep * p.xx[i] - lr * p.xv[i] < options.epsilon() * p.xx[i];
        }
        update.factor(i, 0, keep);
        update.factor(i, 1, -lr);
      }
      update.run();
      clearZeroGroups();
    } finally {
      leave();
    }
  }

  private void formDirection() {
    double decay = options.decoupled() ? 0 : options.weightDecay();
    factors(gradients, layers, 1, decay);
    gradients.run();
    if (options.adam()) {
      boolean first = step == 1;
      double beta1 = options.beta1();
      double beta2 = options.beta2();
      double root = Math.sqrt(1 - Arithmetic.power(beta2, step));
      double scale = root / (1 - Arithmetic.power(beta1, step));
      factors(
          moments,
          layers,
          first ? 0 : beta1,
          first ? 1 : 1 - beta1,
          first ? 0 : beta2,
          first ? 1 : 1 - beta2,
          scale,
          options.eps() * root);
    } else {
      factors(moments, layers, step == 1 ? 0 : options.momentum(), 1);
    }
    moments.run();
  }

  /** x.v, |x|^2 and |v|^2 of every group. */
  private final class Products {
    final double[] xv = new double[groups];
    final double[] xx = new double[groups];
    final double[] vv = new double[groups];

    Products() {
      for (int i = 0; i < groups; i++) {
        xv[i] = products.sum(i, 0);
        xx[i] = products.sum(i, 1);
        vv[i] = products.sum(i, 2);
      }
    }
  }

  private double penalty(Products p, int i) {
    double lambda = options.lambda();
    if (!(p.xv[i] < 0)) {
      return lambda;
    }
    double length = Math.sqrt(p.xx[i]);
    double low = -p.xv[i] / length;
    double high = -p.vv[i] * length / p.xv[i];
    double amplified =
        Math.min(
            Math.max(options.lambdaAmplify() * low, lambda), lambda * options.lambdaHatFactor());
    return amplified >= high ? (low + high) / 2 : amplified;
  }

  private void choose(Products p) {
    double[] cosine = new double[groups];
    double[] smallness = new double[groups];
    for (int i = 0; i < groups; i++) {
      double lengths = Math.sqrt(p.xx[i]) * Math.sqrt(p.vv[i]);
      cosine[i] = lengths == 0 ? 0 : p.xv[i] / lengths;
      smallness[i] = 1 / (Math.sqrt(p.xx[i]) / size[i] + 1e-6);
    }
    double cosineLength = length(cosine);
    double smallnessLength = length(smallness);
    double[] score = new double[groups];
    for (int i = 0; i < groups; i++) {
      score[i] =
          0.5 * (cosineLength == 0 ? 0 : cosine[i] / cosineLength)
              + 0.5 * smallness[i] / smallnessLength;
    }
    double share = Math.min(options.targetGroupSparsity() + options.tolerance(), 0.999);
    int[] order =
        IntStream.range(0, groups)
            .boxed()
            .sorted(
                Comparator.comparingDouble((Integer i) -> -score[i])
                    .thenComparing(Comparator.naturalOrder()))
            .mapToInt(Integer::intValue)
            .toArray();
    int[] kept = new int[layers];
    int[] total = new int[layers];
    for (int place = 0; place < groups; place++) {
      penalised[order[place]] = place < (int) (groups * share);
      total[layerOf[order[place]]]++;
      kept[layerOf[order[place]]] += penalised[order[place]] ? 0 : 1;
    }
    for (int layer = 0; layer < layers; layer++) {
      roundKept(layer, kept[layer], total[layer], order);
    }
  }

  /** Lets the groups that a layer keeps be a multiple of {@code groupDivisible}, at least one. */
  private void roundKept(int layer, int kept, int total, int[] order) {
    int divisor = options.groupDivisible();
    int wanted =
        (int) Math.min(total, Math.max(divisor, Math.rint((double) kept / divisor) * divisor));
    int left = wanted;
    for (int place = groups - 1; place >= 0; place--) {
      if (layerOf[order[place]] == layer) {
        penalised[order[place]] = left-- <= 0;
      }
    }
  }

  private static double length(double[] values) {
    double square = 0;
    for (double value : values) {
      square += value * value;
    }
    return Math.sqrt(square);
  }

  /** A zero group holds zeros, whatever its direction held. */
  private void clearZeroGroups() {
    for (int i = 0; i < groups; i++) {
      if (zero[i]) {
        for (long at = 0; at < rows[i].bytes(); at += ZEROS) {
          ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(ZEROS, rows[i].bytes() - at));
          engine.write(rows[i], at, zeros);
        }
      }
    }
  }

  private double zeroShare() {
    return (double) zeroGroups() / groups;
  }

  /** How many groups are zero for good. */
  public int zeroGroups() {
    int count = 0;
    for (boolean is : zero) {
      count += is ? 1 : 0;
    }
    return count;
  }

  /** How many groups there are in all parameters. */
  public int groups() {
    return groups;
  }

  /** Whether a group, numbered over all parameters, is among the penalised. */
  public boolean isPenalised(int group) {
    return penalised[group];
  }

  /** The last step's direction v of a parameter. */
  public Tensor direction(int parameter) {
    return open(directions[parameter]);
  }
}
