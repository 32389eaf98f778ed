package org.fettle.pruning;

import org.fettle.Range;

/**
 * Gradual magnitude pruning's target: {@code s(t) = s_f + (s_i - s_f) (1 - (t - t0) / (n
 * deltaT))^3}, t held within the schedule. Source: Zhu and Gupta, arXiv:1710.01878, equation 1.
 *
 * @param initial s_i, the share of zeros at the start, in [0, 1]
 * @param last s_f, the share of zeros at the end, in [0, 1]
 * @param start t0, the step of the first mask
 * @param updates n, masks after the first one; more than 0
 * @param interval deltaT, steps between masks; more than 0
 */
public record CubicSchedule(double initial, double last, long start, long updates, long interval) {
  /** Checks the numbers. */
  public CubicSchedule {
    Range.check("initial", initial, initial >= 0 && initial <= 1, "in [0, 1]");
    Range.check("last", last, last >= 0 && last <= 1, "in [0, 1]");
    Range.check("updates", updates, updates > 0, "> 0");
    Range.check("interval", interval, interval > 0, "> 0");
  }

  /** The share of zeros that a step aims at. */
  public double sparsityAt(long step) {
    double length = (double) updates * interval;
    double place = Math.min(Math.max((double) step - start, 0), length) / length;
    return cubic(initial, last, place);
  }

  /** Whether the mask is chosen anew at a step. */
  public boolean isUpdate(long step) {
    long since = step - start;
    return since >= 0 && since <= updates * interval && since % interval == 0;
  }

  /** The cubic between two shares, at a place in [0, 1]. */
  static double cubic(double initial, double last, double place) {
    double rest = 1 - place;
    return last + (initial - last) * (rest * rest * rest);
  }
}
