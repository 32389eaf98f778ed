package org.fettle.samebits;

import java.util.List;
import org.fettle.testkit.CoveringArray;
import org.fettle.testkit.Machine;

/** The suite's cases on tensors of moderate size, for those who ask whether it sees a fault. */
public final class SameBitsProbe {
  private static final int LARGEST = 5000;
  private static final long SEED = 1;

  private SameBitsProbe() {}

  /** The first difference that cases of so many covering arrays show; null if there is none. */
  public static String firstDifference(int arrays) {
    try (SameBitsRun run = new SameBitsRun(Machine.hostBackends())) {
      for (int array = 0; array < arrays; array++) {
        long seed = SEED + array;
        List<int[]> rows = CoveringArray.rows(SameBitsCase.levels(), seed);
        for (int i = 0; i < rows.size(); i++) {
          SameBitsCase test = SameBitsCase.of(rows.get(i), seed + i);
          String difference = test.size() > LARGEST ? null : run.difference(test);
          if (difference != null) {
            return "case " + i + ": " + difference;
          }
        }
      }
      return null;
    }
  }
}
