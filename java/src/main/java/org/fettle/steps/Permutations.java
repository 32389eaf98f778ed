package org.fettle.steps;

import org.fettle.Transcendental;
import org.fettle.internal.Philox;

/** Draws of the host, from Philox: a seed, and one number per draw. */
final class Permutations {
  private static final int PURPOSE = -2;

  private final long seed;
  private final int draw;
  private final int[] words = new int[4];
  private long at;

  Permutations(long seed, long draw) {
    this.seed = seed;
    this.draw = (int) draw;
  }

  /** The first k entries of a random permutation of 0 to n - 1. */
  int[] first(int n, int k) {
    int[] all = new int[n];
    for (int i = 0; i < n; i++) {
      all[i] = i;
    }
    int[] chosen = new int[k];
    for (int i = 0; i < k; i++) {
      int other = i + (int) ((next() >>> 11) * 0x1p-53 * (n - i));
      int swapped = all[i];
      all[i] = all[other];
      all[other] = swapped;
      chosen[i] = all[i];
    }
    return chosen;
  }

  /** A standard normal draw, by Marsaglia's polar method. */
  double normal() {
    while (true) {
      double u = 2 * ((next() >>> 11) * 0x1p-53) - 1;
      double v = 2 * ((next() >>> 11) * 0x1p-53) - 1;
      double s = u * u + v * v;
      if (s > 0 && s < 1) {
        return u * Math.sqrt(-2 * Transcendental.log(s) / s);
      }
    }
  }

  private long next() {
    if (at % 2 == 0) {
      Philox.words(seed, at / 2, draw, PURPOSE, words, 0);
    }
    int half = (int) (at++ % 2) * 2;
    return ((long) words[half] << 32) | (words[half + 1] & 0xFFFFFFFFL);
  }
}
