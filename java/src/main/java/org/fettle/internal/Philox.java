package org.fettle.internal;

/**
 * Philox4x32-10: counter-based random words. Twin of {@code native/src/core/philox.h}. Source:
 * Random123. Key: the plan's seed; counter: element / 4, the tensor's step, the stream; element e
 * takes output word e mod 4.
 */
public final class Philox {
  private Philox() {}

  /**
   * The four words of elements {@code 4 * quad} to {@code 4 * quad + 3}, into {@code words} from
   * {@code at} on.
   */
  public static void words(long seed, long quad, int step, int stream, int[] words, int at) {
    int c0 = (int) quad;
    int c1 = (int) (quad >>> 32);
    int c2 = step;
    int c3 = stream;
    int k0 = (int) seed;
    int k1 = (int) (seed >>> 32);
    for (int round = 0; round < 10; round++) {
      long product0 = 0xD2511F53L * (c0 & 0xFFFFFFFFL);
      long product1 = 0xCD9E8D57L * (c2 & 0xFFFFFFFFL);
      int n0 = (int) (product1 >>> 32) ^ c1 ^ k0;
      int n2 = (int) (product0 >>> 32) ^ c3 ^ k1;
      c0 = n0;
      c1 = (int) product1;
      c2 = n2;
      c3 = (int) product0;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    words[at] = c0;
    words[at + 1] = c1;
    words[at + 2] = c2;
    words[at + 3] = c3;
  }
}
