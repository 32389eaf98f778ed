package org.fettle.pruning;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import org.fettle.Range;

/**
 * Which layers of a deep network to remove: dynamic programming over a table of evaluated metrics.
 * The best way to remove r of the first n layers either keeps layer n and removes r of those before
 * it, or removes it and r - 1 of those before.
 *
 * <p>Exact where the metric adds up over the layers, a search of {@code layers * removed}
 * evaluations otherwise. Source: AmoebaLLM, arXiv:2411.10606; GATECH-EIC/AmoebaLLM.
 */
public final class DepthSelection {
  private DepthSelection() {}

  /**
   * What was found.
   *
   * @param removed the layers to remove, ascending
   * @param metric its value without them
   */
  public record Choice(List<Integer> removed, double metric) {}

  /**
   * The best choice for every number of removed layers.
   *
   * @param layers how many there are, at least 1
   * @param mostRemoved 0 to {@code layers}
   * @param metric of the network without these layers, such as its loss; less is better, and NaN is
   *     never chosen over a number
   * @return entry r removes r layers
   */
  public static List<Choice> choose(
      int layers, int mostRemoved, ToDoubleFunction<List<Integer>> metric) {
    Range.check("layers", layers, layers >= 1, ">= 1");
    Range.check(
        "mostRemoved", mostRemoved, mostRemoved >= 0 && mostRemoved <= layers, "0 to layers");
    Objects.requireNonNull(metric, "metric");
    List<Choice> best = new ArrayList<>();
    best.add(new Choice(List.of(), metric.applyAsDouble(List.of())));
    for (int layer = 0; layer < layers; layer++) {
      List<Choice> next = new ArrayList<>();
      next.add(best.get(0));
      for (int removed = 1; removed <= Math.min(layer + 1, mostRemoved); removed++) {
        List<Integer> with = new ArrayList<>(best.get(removed - 1).removed());
        with.add(layer);
        List<Integer> without = List.copyOf(with);
        Choice removing = new Choice(without, metric.applyAsDouble(without));
        boolean keeps = removed < best.size() && !isBetter(removing, best.get(removed));
        next.add(keeps ? best.get(removed) : removing);
      }
      best = next;
    }
    return List.copyOf(best);
  }

  private static boolean isBetter(Choice a, Choice b) {
    return a.metric() < b.metric() || (Double.isNaN(b.metric()) && !Double.isNaN(a.metric()));
  }
}
