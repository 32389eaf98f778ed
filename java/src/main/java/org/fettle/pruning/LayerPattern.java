package org.fettle.pruning;

import org.fettle.Range;

/**
 * Which weights of a layer a solver may prune.
 *
 * @param sparsity the share of weights that becomes zero, in [0, 1); ignored where groups are given
 * @param pruned weights that every group loses; 0 for none
 * @param group weights of a group of the last axis; 0 for no groups
 */
public record LayerPattern(double sparsity, int pruned, int group) {
  /** Checks the numbers. */
  public LayerPattern {
    Range.check("sparsity", sparsity, sparsity >= 0 && sparsity < 1, "in [0, 1)");
    Range.check("group", group, group >= 0, ">= 0");
    Range.check("pruned", pruned, pruned >= 0 && pruned <= group, "in [0, group]");
  }

  /** That share of the weights, wherever they are. */
  public static LayerPattern unstructured(double sparsity) {
    return new LayerPattern(sparsity, 0, 0);
  }

  /** That many of every group of that many neighbours: 2 of 4 for the usual pattern. */
  public static LayerPattern groups(int pruned, int group) {
    Range.check("group", group, group > 0, "> 0");
    return new LayerPattern(0, pruned, group);
  }

  boolean isGrouped() {
    return group > 0 && pruned > 0;
  }

  /** Refuses columns that the groups do not divide. */
  void check(long columns) {
    if (isGrouped() && columns % group != 0) {
      throw new IllegalArgumentException(
          "weight has " + columns + " columns: expected a multiple of " + group);
    }
  }
}
