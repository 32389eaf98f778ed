package org.fettle.pruning;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;

/**
 * RigL and SET: a fixed number of weights is alive, and moves. Where {@link #isUpdate} says so,
 * call {@link #update} in place of an optimizer step.
 *
 * <p>{@code f(t) = alpha / 2 (1 + cos(pi t / tEnd))}; a layer drops {@code floor(f alive)} of its
 * smallest weights and grows as many of all that is dead, by the largest score: RigL's is the dense
 * gradient, SET's a uniform draw. What was just dropped can be grown back, and then keeps its value
 * and momentum; what is new starts at 0. Alive weights rank above dead ones even where they are 0.
 * Source: Evci et al., arXiv:1911.11134; Mocanu et al., arXiv:1707.04780; google-research/rigl.
 */
public final class RigL {
  private final Options options;
  private final List<PrunedLayer> layers;
  private final MaskUpdates updates;

  /**
   * The hyperparameters.
   *
   * @param alpha share of weights that move at first, in [0, 1]; default 0.3
   * @param interval deltaT, steps between updates, at least 1; default 100
   * @param end tEnd, the step from which on nothing moves, at least 1
   */
  public record Options(double alpha, long interval, long end) {
    /** Checks the numbers. */
    public Options {
      Range.check("alpha", alpha, alpha >= 0 && alpha <= 1, "in [0, 1]");
      Range.check("interval", interval, interval >= 1, ">= 1");
      Range.check("end", end, end >= 1, ">= 1");
    }

    /** f(t), 0 in a step that is no update. */
    public double dropFractionAt(long step) {
      return isUpdate(step) ? MaskUpdates.cosine(alpha, 0, (double) step, (double) end) : 0;
    }

    /** Whether masks move in a step, and no optimizer step is made. */
    public boolean isUpdate(long step) {
      return step % interval == 0 && step < end;
    }
  }

  /** The method over these layers, each with its momentum or none. */
  public RigL(Backend backend, Options options, List<PrunedLayer> layers) {
    PrunedLayer.check(layers, false, false);
    this.options = options;
    this.layers = List.copyOf(layers);
    updates = new MaskUpdates(backend);
  }

  /** Whether masks move in a step, and no optimizer step is made. */
  public boolean isUpdate(long step) {
    return options.isUpdate(step);
  }

  /**
   * Moves the masks.
   *
   * @param step its number, from 1 on
   * @param scores what grows, by magnitude: one tensor per layer, of the weight's shape and F32,
   *     BF16 or F16
   * @return how many weights moved
   * @throws IllegalArgumentException if the step is no update, or a layer has fewer places than it
   *     is to grow; masks of layers before it have then moved
   */
  public long update(long step, List<Tensor> scores) {
    if (!isUpdate(step)) {
      throw new IllegalArgumentException("step " + step + " is no update: expected one");
    }
    if (scores.size() != layers.size()) {
      throw new IllegalArgumentException(
          scores.size() + " scores: expected " + layers.size() + ", one per layer");
    }
    double fraction = options.dropFractionAt(step);
    long moved = 0;
    for (int i = 0; i < layers.size(); i++) {
      PrunedLayer layer = layers.get(i);
      long count = (long) Math.floor(fraction * updates.alive(layer));
      if (count > 0) {
        updates.dropSmallest(count, layer);
        updates.grow(count, scores.get(i), layer);
      }
      updates.maskAll(layer);
      moved += count;
    }
    return moved;
  }

  /** Dead weights and their momentum become +0, for loops whose optimizer does not mask. */
  public void mask() {
    layers.forEach(updates::maskAll);
  }
}
