package org.fettle;

/** What a step does when a gradient holds an infinity or a NaN. */
public enum NonFinite {
  /** Computes with it: it comes out at the same elements. No extra pass over the gradients. */
  PASS,
  /** Leaves parameters, states and step counters of the whole plan untouched. */
  SKIP,
  /** As {@link #SKIP}, and throws {@link NonFiniteGradientException}. On CUDA this waits for the device. */
  RAISE
}
