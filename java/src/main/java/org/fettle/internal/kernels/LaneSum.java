package org.fettle.internal.kernels;

import java.util.Arrays;

/**
 * Sums of doubles in the fixed order: 128 lanes and a halving tree over a chunk of 4,096, chunks in
 * ascending order. Twin of {@code LaneSum} in {@code native/src/kernels/sparse/scores.h}.
 */
final class LaneSum {
  private static final int LANES = 128;
  private static final int CHUNK = 4096;

  private final double[] lanes = new double[LANES];
  private double sum;
  private long count;

  void add(double term) {
    lanes[(int) (count % LANES)] += term;
    count++;
    if (count % CHUNK == 0) {
      close();
    }
  }

  private void close() {
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    sum += lanes[0];
    Arrays.fill(lanes, 0.0);
  }

  double total() {
    if (count % CHUNK != 0) {
      close();
    }
    return sum;
  }
}
