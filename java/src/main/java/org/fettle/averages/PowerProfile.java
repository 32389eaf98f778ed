package org.fettle.averages;

import java.util.List;
import org.fettle.Range;
import org.fettle.Transcendental;

/**
 * An average with a power-function profile (NVlabs/edm2, arXiv:2312.02696). Its width is a share of
 * the training so far, the relative standard deviation s; the exponent follows from {@code s =
 * sqrt((gamma + 1) / ((gamma + 2)^2 (gamma + 3)))}.
 *
 * <p>s has a maximum of about 0.30028, at gamma = -0.38197; a larger one is refused (the published
 * routine takes the real part of complex roots). Of the two exponents of an s the larger counts.
 *
 * @param deviation s, in (0, 0.30028]
 */
public record PowerProfile(double deviation) {
  /** Where the deviation is largest: (sqrt(5) - 3) / 2. */
  private static final double GAMMA_OF_WIDEST = (Math.sqrt(5) - 3) / 2;

  /** The widest profile's deviation. */
  public static final double WIDEST = deviationOf(GAMMA_OF_WIDEST);

  /** Checks the deviation. */
  public PowerProfile {
    check(deviation);
  }

  /** Refuses a deviation that no profile has. */
  public static void check(double deviation) {
    // Below 1e-9 the square of the exponent is no longer a number that says anything.
    Range.check(
        "deviation", deviation, deviation >= 1e-9 && deviation <= WIDEST, "in [1e-9, 0.30028]");
  }

  /** The usual pair: 0.05 and 0.10. */
  public static List<PowerProfile> pair() {
    return List.of(new PowerProfile(0.05), new PowerProfile(0.10));
  }

  /** The exponent: the largest root of g^3 + 7 g^2 + (16 - s^-2) g + (12 - s^-2). */
  public double gamma() {
    // The deviation falls from the widest profile on, and is below 1 / gamma.
    double low = GAMMA_OF_WIDEST;
    double high = 1 / deviation + 1;
    while (true) {
      double middle = low + (high - low) / 2;
      if (middle <= low || middle >= high) {
        return polished(middle);
      }
      if (deviationOf(middle) > deviation) {
        low = middle;
      } else {
        high = middle;
      }
    }
  }

  /** One step of Newton's method on the polynomial, where it is not flat. */
  private double polished(double gamma) {
    double inverse = 1 / (deviation * deviation);
    double value = ((gamma + 7) * gamma + (16 - inverse)) * gamma + (12 - inverse);
    double slope = (3 * gamma + 14) * gamma + (16 - inverse);
    double next = gamma - value / slope;
    return Math.abs(next - gamma) < 1e-9 * Math.max(1, Math.abs(gamma)) ? next : gamma;
  }

  private static double deviationOf(double gamma) {
    return Math.sqrt((gamma + 1) / ((gamma + 2) * (gamma + 2) * (gamma + 3)));
  }

  /**
   * The factor of a step: {@code (1 - batch / seen)^(gamma + 1)}, 0 in the first one.
   *
   * @param batch examples of this step, &gt; 0
   * @param seen examples seen, this step's included
   */
  public double factor(double batch, double seen) {
    Range.positive("batch", batch);
    Range.check("seen", seen, seen >= batch && Double.isFinite(seen), ">= batch");
    return Transcendental.power(1 - batch / seen, gamma() + 1);
  }
}
