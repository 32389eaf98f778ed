package org.fettle;

/** What a step does when a gradient holds an infinity or a NaN. */
public enum NonFinite {
  /** Computes with it: it comes out at the same elements. No extra pass over the gradients. */
  PASS(0),
  /** Leaves parameters, states and step counters of the whole plan untouched. */
  SKIP(1),
  /**
   * As {@link #SKIP}, and throws {@link NonFiniteGradientException}. On CUDA this waits for the
   * device.
   */
  RAISE(2);

  private final int code;

  NonFinite(int code) {
    this.code = code;
  }

  /** The number in the C ABI ({@code enum fettle_non_finite}). */
  public int code() {
    return code;
  }
}
