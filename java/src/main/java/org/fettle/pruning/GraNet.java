package org.fettle.pruning;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;

/**
 * GraNet: gradual pruning with neuroregeneration. Call {@link #afterStep} behind every optimizer
 * step on dense gradients.
 *
 * <p>Every step masks weights and momentum. Every {@code updateFrequency} steps: all layers
 * together are pruned along the cubic schedule, then every layer drops a share d(t) of its smallest
 * weights and regrows as many by the largest gradient; what was dropped and comes back keeps its
 * weight and momentum, what is new starts at 0. {@code d(t) = eta + (d0 - eta) (1 + cos(pi t /
 * tMax)) / 2}. Pruning keeps what is strictly above the threshold, as the authors' code does.
 * Source: Liu et al., arXiv:2106.10404; Shiweiliuiiiiiii/GraNet.
 */
public final class GraNet {
  private final Options options;
  private final List<PrunedLayer> layers;
  private final MaskUpdates updates;
  private double targetSparsity = Double.NaN;

  /**
   * The hyperparameters.
   *
   * @param pruneRate d0, in [0, 1); default 0.5
   * @param pruneRateMin eta, in [0, 1); default 0.005
   * @param horizon tMax, steps of the cosine; more than 0
   * @param updateFrequency steps between updates, at least 1; default 100
   * @param initDensity share of weights alive at first, in (0, 1]
   * @param finalDensity share of weights alive in the end, in (0, initDensity]
   * @param initPruneStep step of the first pruning, at least 0
   * @param finalPruneStep step behind the last pruning, more than initPruneStep
   */
  public record Options(
      double pruneRate,
      double pruneRateMin,
      long horizon,
      long updateFrequency,
      double initDensity,
      double finalDensity,
      long initPruneStep,
      long finalPruneStep) {
    /** Checks the numbers. */
    public Options {
      Range.fraction("pruneRate", pruneRate);
      Range.fraction("pruneRateMin", pruneRateMin);
      Range.check("horizon", horizon, horizon > 0, "> 0");
      Range.check("updateFrequency", updateFrequency, updateFrequency >= 1, ">= 1");
      Range.check("initDensity", initDensity, initDensity > 0 && initDensity <= 1, "in (0, 1]");
      Range.check(
          "finalDensity",
          finalDensity,
          finalDensity > 0 && finalDensity <= initDensity,
          "in (0, initDensity], which is " + initDensity);
      Range.check("initPruneStep", initPruneStep, initPruneStep >= 0, ">= 0");
      Range.check(
          "finalPruneStep", finalPruneStep, finalPruneStep > initPruneStep, "> initPruneStep");
    }

    /** d(t). */
    public double pruneRateAt(long step) {
      return MaskUpdates.cosine(pruneRate, pruneRateMin, (double) step, (double) horizon);
    }
  }

  /** The method over these layers, each with momentum (or none) and dense gradient. */
  public GraNet(Backend backend, Options options, List<PrunedLayer> layers) {
    PrunedLayer.check(layers, false, true);
    this.options = options;
    this.layers = List.copyOf(layers);
    updates = new MaskUpdates(backend);
  }

  /**
   * What follows an optimizer step.
   *
   * @param step its number, from 1 on
   */
  public void afterStep(long step) {
    Range.check("step", step, step >= 1, ">= 1");
    layers.forEach(updates::maskAll);
    targetSparsity = Double.NaN;
    if (step % options.updateFrequency != 0 || step < options.initPruneStep) {
      return;
    }
    pruneAll(step);
    for (PrunedLayer layer : layers) {
      regenerate(layer, options.pruneRateAt(step));
    }
  }

  private void pruneAll(long step) {
    long update = step / options.updateFrequency;
    long first = options.initPruneStep / options.updateFrequency;
    long last = options.finalPruneStep / options.updateFrequency;
    if (update < first || update > last - 1) {
      return;
    }
    targetSparsity =
        CubicSchedule.cubic(
            1 - options.initDensity,
            1 - options.finalDensity,
            (double) (update - first) / (last - first));
    long elements = layers.stream().mapToLong(layer -> layer.weight().elements()).sum();
    updates.keepAbove((long) Math.floor(elements * (1 - targetSparsity)), layers);
    layers.forEach(updates::maskAll);
  }

  private void regenerate(PrunedLayer layer, double rate) {
    long alive = updates.alive(layer);
    long removed = (long) Math.ceil(rate * alive);
    if (removed == 0) {
      return;
    }
    // What is strictly above the weight number `removed` of the alive ones.
    updates.keepAbove(alive - removed + 1, List.of(layer));
    updates.grow(alive - updates.alive(layer), layer.gradient(), layer);
    updates.maskAll(layer);
  }

  /** The share of zeros that the last step's pruning aimed at; NaN if it did not prune. */
  public double targetSparsity() {
    return targetSparsity;
  }
}
