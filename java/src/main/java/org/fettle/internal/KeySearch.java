package org.fettle.internal;

/** The k-th largest of keys in an array. */
final class KeySearch {
  private static final int[] SHIFTS = {21, 10, 0};
  private static final int[] BINS = {2048, 2048, 1024};

  private KeySearch() {}

  /**
   * The key of that rank, without sorting: 11, 11 and 10 bits at a time.
   *
   * @param keys reordered on return
   * @param count keys that count
   * @param rank 1 for the largest
   */
  static int nthLargest(int[] keys, int count, long rank) {
    long left = rank;
    int n = count;
    int prefix = 0;
    for (int pass = 0; pass < SHIFTS.length; pass++) {
      int shift = SHIFTS[pass];
      int bins = BINS[pass];
      int[] counts = new int[bins];
      for (int i = 0; i < n; i++) {
        counts[(keys[i] ^ Integer.MIN_VALUE) >>> shift & (bins - 1)]++;
      }
      int bin = bins - 1;
      while (left > counts[bin]) {
        left -= counts[bin--];
      }
      int kept = 0;
      for (int i = 0; i < n; i++) {
        if (((keys[i] ^ Integer.MIN_VALUE) >>> shift & (bins - 1)) == bin) {
          keys[kept++] = keys[i];
        }
      }
      n = kept;
      prefix |= bin << shift;
    }
    return prefix ^ Integer.MIN_VALUE;
  }
}
