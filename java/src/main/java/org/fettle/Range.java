package org.fettle;

/** Checks of hyperparameters, all with one form of message: the name, the value, the range. */
public final class Range {
  private Range() {}

  /**
   * Throws unless {@code holds}.
   *
   * @throws IllegalArgumentException naming the hyperparameter, its value and the range
   */
  public static void check(String name, double value, boolean holds, String range) {
    if (!holds) {
      throw new IllegalArgumentException(name + " is " + value + ": expected " + range);
    }
  }

  /** As {@link #check}, for whole numbers. */
  public static void check(String name, long value, boolean holds, String range) {
    if (!holds) {
      throw new IllegalArgumentException(name + " is " + value + ": expected " + range);
    }
  }

  /** A learning rate, eps, or decay: finite and at least 0. */
  public static void nonNegative(String name, double value) {
    check(name, value, value >= 0 && value < Double.POSITIVE_INFINITY, "finite and >= 0");
  }

  /** Finite and more than 0. */
  public static void positive(String name, double value) {
    check(name, value, value > 0 && value < Double.POSITIVE_INFINITY, "finite and > 0");
  }

  /** A beta, momentum or alpha: in [0, 1). */
  public static void fraction(String name, double value) {
    check(name, value, value >= 0 && value < 1, "in [0, 1)");
  }

  /** Any finite number. */
  public static void finite(String name, double value) {
    check(name, value, Double.isFinite(value), "finite");
  }
}
