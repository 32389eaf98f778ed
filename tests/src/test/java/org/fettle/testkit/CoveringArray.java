package org.fettle.testkit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Rows of choices such that every pair of choices for every two factors stands in some row. Greedy:
 * a row starts from a pair that is not covered yet, and each further factor takes the choice that
 * covers most new pairs.
 */
public final class CoveringArray {
  private final int[] levels;
  private final BitSet[][] open;
  private final SplittableRandom random;
  private long left;

  private CoveringArray(int[] levels, long seed) {
    this.levels = levels.clone();
    random = new SplittableRandom(seed);
    int factors = levels.length;
    open = new BitSet[factors][factors];
    for (int a = 0; a < factors; a++) {
      for (int b = a + 1; b < factors; b++) {
        open[a][b] = new BitSet(levels[a] * levels[b]);
        open[a][b].set(0, levels[a] * levels[b]);
        left += (long) levels[a] * levels[b];
      }
    }
  }

  /**
   * The rows for factors with that many choices each; the same for the same seed.
   *
   * @param levels the number of choices of each factor
   */
  public static List<int[]> rows(int[] levels, long seed) {
    CoveringArray array = new CoveringArray(levels, seed);
    List<int[]> rows = new ArrayList<>();
    for (int a = 0; a < levels.length; a++) {
      for (int b = a + 1; b < levels.length; b++) {
        for (int pair = array.open[a][b].nextSetBit(0);
            pair >= 0;
            pair = array.open[a][b].nextSetBit(pair)) {
          rows.add(array.row(a, pair / levels[b], b, pair % levels[b]));
        }
      }
    }
    if (array.left != 0) {
      throw new AssertionError(array.left + " pairs are not covered");
    }
    return rows;
  }

  private int[] row(int a, int ofA, int b, int ofB) {
    int[] row = new int[levels.length];
    Arrays.fill(row, -1);
    row[a] = ofA;
    row[b] = ofB;
    for (int factor : shuffled()) {
      if (row[factor] < 0) {
        row[factor] = best(row, factor);
      }
    }
    for (int i = 0; i < row.length; i++) {
      for (int k = i + 1; k < row.length; k++) {
        int pair = row[i] * levels[k] + row[k];
        if (open[i][k].get(pair)) {
          open[i][k].clear(pair);
          left--;
        }
      }
    }
    return row;
  }

  private int best(int[] row, int factor) {
    int start = random.nextInt(levels[factor]);
    int best = start;
    int most = -1;
    for (int i = 0; i < levels[factor]; i++) {
      int choice = (start + i) % levels[factor];
      int covers = 0;
      for (int other = 0; other < row.length; other++) {
        if (row[other] >= 0 && isOpen(factor, choice, other, row[other])) {
          covers++;
        }
      }
      if (covers > most) {
        most = covers;
        best = choice;
      }
    }
    return best;
  }

  private boolean isOpen(int a, int ofA, int b, int ofB) {
    return a < b ? open[a][b].get(ofA * levels[b] + ofB) : open[b][a].get(ofB * levels[a] + ofA);
  }

  private int[] shuffled() {
    int[] order = new int[levels.length];
    for (int i = 0; i < order.length; i++) {
      int at = random.nextInt(i + 1);
      order[i] = order[at];
      order[at] = i;
    }
    return order;
  }
}
