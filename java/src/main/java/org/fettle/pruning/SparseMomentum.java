package org.fettle.pruning;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;

/**
 * Sparse momentum: weights die by their magnitude and come alive by their momentum, in the layers
 * whose momentum is largest. Call {@link #afterStep} behind every optimizer step on dense
 * gradients; momentum is never masked, for dead weights must keep collecting it.
 *
 * <pre>
 * share_l = mean |momentum| over alive weights (or mean |w|, or their number), normalised
 * drop ceil(rate_l alive_l) smallest ; regrowth_l = ceil(share_l (removed + carry)), at most 0.99 (dead_l + removed_l),
 *   the excess spread evenly over all layers until there is none ; grow floor(regrowth_l) by |momentum|
 * carry = 0.25 carry + 0.75 (base - alive) + mean of all (base - alive) so far, base = density * n
 * </pre>
 *
 * <p>rate_l is d(t), a cosine; in a layer that is less than 20 % sparse and whose share is above
 * average it is at most the layer's sparsity. A layer without alive weights has share 0, and a
 * negative regrowth is 0 (the authors' code has NaN and nearly everything). Source: Dettmers and
 * Zettlemoyer, arXiv:1907.04840; TimDettmers/sparse_learning.
 */
public final class SparseMomentum {
  private static final int ROUNDS = 1000;

  private final Options options;
  private final List<PrunedLayer> layers;
  private final MaskUpdates updates;
  private final double[] shares;
  private final double[] regrowth;
  private double carry;
  private double missingSum;
  private long missingCount;

  /** What decides where weights grow. */
  public enum Redistribution {
    /** The mean magnitude of the momentum. */
    MOMENTUM,
    /** The mean magnitude of the weights. */
    MAGNITUDE,
    /** The number of alive weights. */
    NONZERO
  }

  /**
   * The hyperparameters.
   *
   * @param pruneRate d0, in [0, 1); default 0.5
   * @param pruneRateMin in [0, 1); default 0.005
   * @param horizon tMax, steps of the cosine; more than 0
   * @param interval steps between updates, at least 1
   * @param density share of weights that are alive, in (0, 1]; default 0.05
   * @param redistribution where weights grow; default MOMENTUM
   */
  public record Options(
      double pruneRate,
      double pruneRateMin,
      long horizon,
      long interval,
      double density,
      Redistribution redistribution) {
    /** Checks the numbers. */
    public Options {
      Range.fraction("pruneRate", pruneRate);
      Range.fraction("pruneRateMin", pruneRateMin);
      Range.check("horizon", horizon, horizon > 0, "> 0");
      Range.check("interval", interval, interval >= 1, ">= 1");
      Range.check("density", density, density > 0 && density <= 1, "in (0, 1]");
    }

    /** d(t). */
    public double pruneRateAt(long step) {
      return MaskUpdates.cosine(pruneRate, pruneRateMin, (double) step, (double) horizon);
    }
  }

  /** The method over these layers, each with its momentum. */
  public SparseMomentum(Backend backend, Options options, List<PrunedLayer> layers) {
    PrunedLayer.check(layers, true, false);
    this.options = options;
    this.layers = List.copyOf(layers);
    updates = new MaskUpdates(backend);
    shares = new double[layers.size()];
    regrowth = new double[layers.size()];
  }

  /**
   * What follows an optimizer step.
   *
   * @param step its number, from 1 on
   * @return whether masks moved
   */
  public boolean afterStep(long step) {
    Range.check("step", step, step >= 1, ">= 1");
    layers.forEach(updates::maskWeight);
    if (step % options.interval != 0) {
      return false;
    }
    int count = layers.size();
    long[] alive = new long[count];
    long[] removed = new long[count];
    double total = 0;
    double elements = 0;
    for (int i = 0; i < count; i++) {
      alive[i] = updates.alive(layers.get(i));
      shares[i] = strength(layers.get(i), alive[i]);
      total += shares[i];
      elements += layers.get(i).weight().elements();
    }
    long removedTotal = 0;
    for (int i = 0; i < count; i++) {
      shares[i] = total == 0 ? 0 : shares[i] / total;
      removed[i] = (long) Math.ceil(rate(i, alive[i], options.pruneRateAt(step)) * alive[i]);
      removedTotal += removed[i];
    }
    distribute(alive, removed, removedTotal);
    long after = 0;
    for (int i = 0; i < count; i++) {
      PrunedLayer layer = layers.get(i);
      if (removed[i] > 0) {
        updates.dropSmallest(removed[i], layer);
      }
      updates.grow((long) Math.max(0, Math.floor(regrowth[i])), layer.momentum(), layer);
      updates.maskWeight(layer);
      after += updates.alive(layer);
    }
    double missing = options.density * elements - after;
    missingSum += missing;
    missingCount++;
    carry = 0.25 * carry + 0.75 * missing + missingSum / missingCount;
    return true;
  }

  private double strength(PrunedLayer layer, long alive) {
    return switch (options.redistribution) {
      case MOMENTUM -> updates.meanAlive(layer.momentum(), layer);
      case MAGNITUDE -> updates.meanAlive(layer.weight(), layer);
      case NONZERO -> alive;
    };
  }

  private double rate(int layer, long alive, double rate) {
    double elements = layers.get(layer).weight().elements();
    double sparsity = elements == 0 ? 0 : (elements - alive) / elements;
    boolean nearlyDense = sparsity < 0.2 && shares[layer] > 1.0 / layers.size();
    return nearlyDense ? Math.min(sparsity, rate) : rate;
  }

  private void distribute(long[] alive, long[] removed, long removedTotal) {
    int count = layers.size();
    for (int i = 0; i < count; i++) {
      regrowth[i] = Math.ceil(shares[i] * (removedTotal + carry));
    }
    double spread = 0;
    for (int round = 0; round < ROUNDS; round++) {
      double excess = 0;
      for (int i = 0; i < count; i++) {
        double most = 0.99 * (layers.get(i).weight().elements() - alive[i] + removed[i]);
        regrowth[i] += spread;
        if (regrowth[i] > most) {
          excess += regrowth[i] - most;
          regrowth[i] = most;
        }
      }
      if (!(excess > 0)) {
        break;
      }
      spread = excess / count;
    }
  }

  /** The normalised shares of the last update. */
  public double[] shares() {
    return shares.clone();
  }

  /** How many weights every layer was to grow in the last update, before rounding down. */
  public double[] regrowth() {
    return regrowth.clone();
  }

  /** What the last update left for the next one. */
  public double carry() {
    return carry;
  }
}
