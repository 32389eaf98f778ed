package org.fettle.steps;

import java.util.Arrays;
import java.util.Objects;
import org.fettle.Range;
import org.fettle.Schedule;
import org.fettle.Transcendental;

/**
 * A learning-rate schedule from the gradient norms of an earlier run.
 *
 * <pre>
 * w_t = G_t^exponent ;  s_t = w_t * sum of w_j, j &gt; t
 * </pre>
 *
 * <p>The exponent is -2 for SGD, with Euclidean norms, and -1 for Adam and its like, with sums of
 * magnitudes. With constant norms this is the linear decay. Computed in double on the host. Source:
 * arXiv:2310.07831; facebookresearch/adaptive_scheduling.
 */
public final class ScheduleRefinement {
  private final double[] schedule;

  /**
   * The schedule that follows from these norms.
   *
   * @param norms one per step, all positive and finite; smooth them with {@link #smoothed} first
   * @param exponent of the weights; -2 or -1
   */
  public ScheduleRefinement(double[] norms, double exponent) {
    Range.finite("exponent", exponent);
    Objects.requireNonNull(norms, "norms");
    if (norms.length == 0) {
      throw new IllegalArgumentException("no norms: expected one per step");
    }
    int count = norms.length;
    double[] weights = new double[count];
    for (int t = 0; t < count; t++) {
      Range.positive("norm " + t, norms[t]);
      weights[t] =
          exponent == -2.0
              ? 1.0 / (norms[t] * norms[t])
              : exponent == -1.0 ? 1.0 / norms[t] : Transcendental.power(norms[t], exponent);
    }
    schedule = new double[count];
    double later = 0;
    for (int t = count - 1; t >= 0; t--) {
      schedule[t] = weights[t] * later / weights[count - 1];
      later += weights[t];
    }
  }

  /** The factors as published: divided by the last step's weight, so that only ratios mean much. */
  public double[] published() {
    return schedule.clone();
  }

  /** The factors divided by the largest of them; all 0 for a single step. */
  public double[] normalised() {
    double largest = Arrays.stream(schedule).max().orElse(0);
    return Arrays.stream(schedule).map(s -> largest == 0 ? 0 : s / largest).toArray();
  }

  /** The normalised factors times a peak, as a schedule whose first step is t = 1. */
  public Schedule times(double peak) {
    Range.nonNegative("peak", peak);
    double[] factors = normalised();
    return t -> peak * factors[(int) Math.min(Math.max(t, 1), factors.length) - 1];
  }

  /**
   * The median of every window of odd width {@code 2 * floor(part * T / 2) + 1}, with the norms
   * mirrored at both ends.
   *
   * @param part of all steps that a window covers, in [0, 1]
   */
  public static double[] smoothed(double[] norms, double part) {
    Range.check("part", part, part >= 0 && part <= 1, "in [0, 1]");
    int count = norms.length;
    int reach = (int) Math.min(Math.floor(part * count / 2), Math.max(0, count - 1));
    double[] result = new double[count];
    double[] window = new double[2 * reach + 1];
    for (int t = 0; t < count; t++) {
      for (int k = -reach; k <= reach; k++) {
        int at = Math.abs(t + k);
        window[k + reach] = norms[at < count ? at : 2 * (count - 1) - at];
      }
      Arrays.sort(window);
      result[t] = window[reach];
    }
    return result;
  }
}
