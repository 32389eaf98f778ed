package org.fettle.averages;

import org.fettle.Range;

/**
 * When Switch EMA (Westlake-AI/SEMA, arXiv:2402.09240) copies the average into the live weights
 * ({@link MovingAverage#copy}): at the start of an epoch behind {@code start}, the average itself
 * and the optimizer's state stay. The average moves in every step.
 *
 * <p>The two published hooks contradict each other; the detection hook has the paper's rule.
 *
 * @param interval of the epochs, at least 1; default 1, every epoch
 * @param start the last epoch, from 0, without a switch; default 0
 * @param variant which hook
 */
public record SwitchEma(long interval, long start, Variant variant) {
  /** The published hooks. */
  public enum Variant {
    /** Where (epoch + 1) % interval is 0. */
    DETECTION,
    /** Where it is not 0: an interval of 1 never switches, one of 100 nearly always. */
    CLASSIFICATION
  }

  /** Checks the numbers. */
  public SwitchEma {
    Range.check("interval", interval, interval >= 1, ">= 1");
    Range.check("start", start, start >= 0, ">= 0");
  }

  /** Every epoch but the first. */
  public SwitchEma() {
    this(1, 0, Variant.DETECTION);
  }

  /** Whether the average is copied at the start of an epoch, the first being 0. */
  public boolean switchesAt(long epoch) {
    Range.check("epoch", epoch, epoch >= 0, ">= 0");
    boolean falls = (epoch + 1) % interval == 0;
    return epoch > start && falls == (variant == Variant.DETECTION);
  }
}
