package org.fettle;

/** How a value is rounded to a format that cannot hold it. */
public enum Rounding {
  /** To the nearest representable value, ties to even. */
  NEAREST(0),
  /**
   * Up or down with the probability of the distance, by Philox words keyed by the plan's seed, the
   * tensor's step and the element: unbiased, and the same bits on every backend.
   */
  STOCHASTIC(1);

  private final int code;

  Rounding(int code) {
    this.code = code;
  }

  /** The number in the C ABI ({@code enum fettle_rounding}). */
  public int code() {
    return code;
  }
}
