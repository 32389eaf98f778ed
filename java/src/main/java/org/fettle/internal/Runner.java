package org.fettle.internal;

import org.fettle.Step;
import org.fettle.Tensor;

/**
 * A plan laid out by a backend. Used by one thread at a time; tensors are numbered over all groups.
 */
public interface Runner extends AutoCloseable {
  /**
   * Refuses a thread on which no step can be made. Changes nothing.
   *
   * @throws IllegalStateException if the thread flushes denormal numbers
   */
  default void checkThread() {}

  /**
   * Carries out one step.
   *
   * @return false if a non-finite gradient is known to have stopped it
   */
  default boolean step(Step step) {
    stage(step);
    return stepStaged();
  }

  /** Takes over what the next steps are given. */
  void stage(Step step);

  /** As {@link #step}, with what was staged. */
  boolean stepStaged();

  /** Whether a non-finite gradient stopped the last step; may wait for a device. */
  boolean stopped();

  /** The CUDA stream that the following calls use; ignored on the CPU. */
  default void stream(long stream) {}

  /** Replaces a tensor's gradient; null for none. */
  void gradient(int tensor, Tensor gradient);

  /** A tensor's step counter. */
  long stepCount(int tensor);

  /** Sets a tensor's step counter. */
  void stepCount(int tensor, long count);

  /** A scalar of a tensor's rule. */
  double scalar(int tensor, int index);

  /** Sets a scalar of a tensor's rule. */
  void scalar(int tensor, int index, double value);

  /** Brings what rules keep per row to where the plan holds it; may wait for a device. */
  default void readRows() {}

  /** Takes over what the plan holds per row. */
  default void writeRows() {}

  /**
   * The global gradient norm of the last step, before clipping by norm; NaN if it was not formed.
   */
  double gradientNorm();

  /**
   * A tensor's gradient norm in the last step, before clipping by norm; NaN if it was not formed.
   */
  double gradientNorm(int tensor);

  @Override
  void close();
}
