package org.fettle.demo;

import java.util.List;
import org.fettle.Backend;

/**
 * What all rows have in common.
 *
 * @param epochs passes over the training images
 * @param batch images of a mini-batch
 * @param hidden widths of the hidden layers
 * @param threads of a step
 * @param backend of the steps
 * @param seed of the weights, the order of the images and the stochastic rounding
 */
record Settings(
    int epochs, int batch, List<Integer> hidden, int threads, Backend backend, long seed) {
  /** Where the global norm of the gradients is clipped. */
  static final double MAX_NORM = 2;

  /** The share of the steps in which the learning rate rises. */
  static final double WARM_UP = 0.05;

  /** The factor of the learning rate: a linear rise, then half a cosine down to 0. */
  static double schedule(long step, long steps) {
    double rise = WARM_UP * steps;
    if (step < rise) {
      return (step + 1) / (rise + 1);
    }
    return 0.5 + 0.5 * StrictMath.cos(Math.PI * (step - rise) / (steps - rise));
  }
}
