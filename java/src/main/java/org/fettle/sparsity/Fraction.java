package org.fettle.sparsity;

import org.fettle.Range;

/**
 * How a fraction of a number of elements becomes a count. In double: {@code 0.7 * 180} gives 125 by
 * FLOOR.
 */
public enum Fraction {
  /** Down: SNIP, BiP, the edges of TEDDY. */
  FLOOR,
  /** Up: open_lth, GraNet, sparse momentum, the weights of TEDDY. */
  CEIL,
  /** To the nearest, halves to even: torch.nn.utils.prune. */
  ROUND_HALF_EVEN;

  /**
   * The count.
   *
   * @param fraction 0 to 1
   * @param elements &gt;= 0
   */
  public long of(double fraction, long elements) {
    Range.check("fraction", fraction, fraction >= 0 && fraction <= 1, "0 to 1");
    Range.check("elements", elements, elements >= 0, ">= 0");
    double exact = fraction * elements;
    return (long)
        switch (this) {
          case FLOOR -> Math.floor(exact);
          case CEIL -> Math.ceil(exact);
          case ROUND_HALF_EVEN -> Math.rint(exact);
        };
  }
}
