package org.fettle.distributed;

/** What a worker sends of its gradient. */
public enum Compression {
  /** The gradient as it is: 4 bytes per element. */
  F32,
  /** Rounded to the nearest bfloat16: 2 bytes per element. */
  BF16,
  /** 8-bit blocks of 2,048 with a scale, and error feedback: 1.002 bytes per element. */
  INT8,
  /**
   * One bit per element, one scale, and error feedback (1-bit Adam, arXiv:2102.02888): 1/8 byte per
   * element.
   */
  SIGN,
  /**
   * One bit per element without memory; the sum is the sign of the majority (arXiv:1810.05291): 1/8
   * byte per element.
   */
  MAJORITY,
  /**
   * The largest hundredth with error feedback (arXiv:1809.07599): 8 bytes for each that is sent,
   * 0.08 per element, to everyone.
   */
  LARGEST;

  /** Elements of a block of {@link #INT8}. */
  public static final int BLOCK = 2048;

  /** One of how many elements {@link #LARGEST} sends. */
  public static final int LARGEST_OF = 100;

  /** Whether an encoder keeps what it did not send. */
  public boolean hasMemory() {
    return this == INT8 || this == SIGN || this == LARGEST;
  }
}
