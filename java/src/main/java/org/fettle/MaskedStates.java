package org.fettle;

/**
 * What becomes of a rule's states where a parameter's pruning mask is 0. The parameter is +0 there
 * after every step, and the step counter is the tensor's: what grows back meets the bias correction
 * of all the others.
 */
public enum MaskedStates {
  /**
   * They become 0. What is pruned does not exist for the step: its gradient may be anything, NaN
   * included, and counts in no norm.
   */
  ZERO(0),
  /**
   * They stay what they were, rounded as the states are stored (by blocks, they share the scale of
   * their block). What is pruned does not exist for the step, as with {@link #ZERO}.
   */
  FREEZE(1),
  /**
   * They go on as if there were no mask, as sparse momentum wants it: the gradients of what is
   * pruned reach the states, and count in every norm.
   */
  UPDATE(2);

  private final int code;

  MaskedStates(int code) {
    this.code = code;
  }

  /** The number in the C ABI ({@code enum fettle_masked_states}). */
  public int code() {
    return code;
  }
}
