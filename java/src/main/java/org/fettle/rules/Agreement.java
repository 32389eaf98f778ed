package org.fettle.rules;

/** The test of the cautious rules. Twin of {@code agreement} in {@code rules/cautious.h}. */
final class Agreement {
  private Agreement() {}

  /** 1 where the product is positive, 0 elsewhere, NaN where it is NaN. */
  static float of(float product) {
    return product > 0f ? 1f : (Float.isNaN(product) ? product : 0f);
  }
}
