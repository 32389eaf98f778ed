package org.fettle.pruning;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;

/**
 * Iterative magnitude pruning with rewinding: train, {@link #prune} a share of what is left over
 * all layers, {@link #rewind} to the weights of an early step, train again. Optimizer state and
 * learning-rate position are rewound by the caller. Source: Frankle and Carbin, arXiv:1803.03635;
 * Frankle et al., arXiv:1912.05671; facebookresearch/open_lth.
 */
public final class LotteryTicket {
  private final Backend backend;
  private final double fraction;
  private final Count count;

  /** How many weights a level removes of R that are left. */
  public enum Count {
    /** Exactly {@code ceil(fraction R)}, ties to the lowest index. */
    EXACT,
    /**
     * As open_lth: all up to the magnitude number {@code ceil(fraction R)}, so one more, and ties.
     */
    OPEN_LTH
  }

  /**
   * What a level has done.
   *
   * @param nominal {@code ceil(fraction R)}
   * @param threshold OPEN_LTH: the magnitude up to which weights went; EXACT: that of the smallest
   *     left
   * @param left how many weights are left
   */
  public record Level(long nominal, float threshold, long left) {}

  /**
   * The method.
   *
   * @param fraction the share of what is left that a level removes, in (0, 1); 0.2 in open_lth
   */
  public LotteryTicket(Backend backend, double fraction, Count count) {
    Range.check("fraction", fraction, fraction > 0 && fraction < 1, "in (0, 1)");
    this.backend = backend;
    this.fraction = fraction;
    this.count = count;
  }

  /**
   * One level: the smallest of the weights that are left, over all tensors, go.
   *
   * @param weights trained weights
   * @param masks replaced
   * @throws IllegalArgumentException if OPEN_LTH would need more weights than are left; nothing was
   *     written
   */
  public Level prune(List<Tensor> weights, List<Tensor> masks) {
    Selection alive = Selection.on(backend).inside(masks);
    long left = alive.candidates(weights);
    long nominal = (long) Math.ceil(fraction * left);
    if (count == Count.EXACT) {
      Selection.Outcome outcome = alive.dropSmallest(nominal, weights, masks);
      return new Level(nominal, outcome.threshold(), outcome.kept());
    }
    if (nominal >= left) {
      throw new IllegalArgumentException(
          nominal + " of " + left + " weights would go: expected fewer, for one more goes");
    }
    Selection.Outcome outcome =
        alive.withTies(Selection.Ties.NONE).keepLargest(left - nominal, weights, masks);
    return new Level(nominal, outcome.threshold(), outcome.kept());
  }

  /** The early weights under the masks, +0 elsewhere. */
  public void rewind(List<Tensor> early, List<Tensor> masks, List<Tensor> weights) {
    if (early.size() != masks.size() || early.size() != weights.size()) {
      throw new IllegalArgumentException(
          early.size()
              + " early weights, "
              + masks.size()
              + " masks, "
              + weights.size()
              + " weights: expected as many of each");
    }
    Masks on = Masks.on(backend);
    for (int i = 0; i < early.size(); i++) {
      on.apply(masks.get(i), early.get(i), weights.get(i));
    }
  }
}
