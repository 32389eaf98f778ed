package org.fettle;

/** How a value is rounded to a format that cannot hold it. */
public enum Rounding {
  /** To the nearest representable value, ties to even. */
  NEAREST,
  /**
   * Up or down with the probability of the distance, by Philox words keyed by the plan's seed, the tensor's step and the
   * element: unbiased, and the same bits on every backend.
   */
  STOCHASTIC
}
