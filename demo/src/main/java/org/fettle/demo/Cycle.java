package org.fettle.demo;

import java.util.Collections;
import java.util.List;

/**
 * A part of a training with a learning-rate schedule of its own. Most rows have one.
 *
 * @param epochs passes over the training images
 * @param rate a factor of all learning rates
 */
record Cycle(int epochs, double rate) {
  /** Whole rate. */
  static Cycle of(int epochs) {
    return new Cycle(Math.max(1, epochs), 1);
  }

  /** That many equal ones. */
  List<Cycle> times(int count) {
    return Collections.nCopies(count, this);
  }
}
