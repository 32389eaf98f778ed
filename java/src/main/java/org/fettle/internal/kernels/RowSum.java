package org.fettle.internal.kernels;

/**
 * The sum of a row's terms in the fixed order: 128 lanes within a chunk of 4,096, a halving tree
 * over the lanes, the chunks one after another. Twin of {@code native/src/kernels/steps/row_sum.h}.
 */
final class RowSum {
  private static final int LANES = 128;
  private static final int CHUNK = 4096;

  private final double[] lanes = new double[LANES];
  private double total;
  private int used;

  void add(double term) {
    int lane = used & (LANES - 1);
    lanes[lane] = (used < LANES ? 0.0 : lanes[lane]) + term;
    if (++used == CHUNK) {
      closeChunk();
    }
  }

  private void closeChunk() {
    int left = Math.min(used, LANES);
    int half = 1;
    while (half < left) {
      half *= 2;
    }
    for (half /= 2; half > 0; half /= 2) {
      for (int i = 0; i < half && i + half < left; i++) {
        lanes[i] += lanes[i + half];
      }
      left = Math.min(left, half);
    }
    total += lanes[0];
    used = 0;
  }

  /** The sum of what was added since the last call; the next sum starts at 0. */
  double finish() {
    if (used > 0) {
      closeChunk();
    }
    double sum = total;
    total = 0.0;
    return sum;
  }
}
