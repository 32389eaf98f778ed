package org.fettle.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Where axes that grow by factors have their marks. */
final class Ticks {
  private Ticks() {}

  /** 1, 2 and 5 times the powers of ten between two values; only the powers where they are many. */
  static List<Double> between(double low, double high) {
    boolean many = high / low > 1e5;
    List<Double> ticks = new ArrayList<>();
    for (int power = -9; power <= 9; power++) {
      for (int digit : many ? new int[] {1} : new int[] {1, 2, 5}) {
        double tick = digit * Math.pow(10, power);
        if (tick >= low && tick <= high) {
          ticks.add(tick);
        }
      }
    }
    return ticks;
  }

  /** Three digits at most, and no zeros at the end. */
  static String text(double value) {
    if (value >= 100) {
      return String.format(Locale.ROOT, "%.0f", value);
    }
    return String.format(Locale.ROOT, value >= 10 ? "%.1f" : value >= 0.1 ? "%.2f" : "%.3g", value)
        .replaceAll("(\\.\\d*?)0+$", "$1")
        .replaceAll("\\.$", "");
  }
}
