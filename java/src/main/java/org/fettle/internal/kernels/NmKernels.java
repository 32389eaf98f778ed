package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.DType;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.KeyRun;
import org.fettle.internal.Keys;

/** N:M masks: twins of {@code native/src/kernels/masks/nm.h}. */
public final class NmKernels {
  /** The largest M of {@link #TRANSPOSABLE}. */
  public static final int MOST_TRANSPOSABLE = 64;

  /** Of every M entries the N of the largest magnitude. */
  public static final Kernel MASK = new Kernel("nm_mask", NmKernels::mask);

  /** The same along both axes of a matrix. */
  public static final Kernel TRANSPOSABLE = new Kernel("nm_transposable", NmKernels::transposable);

  private NmKernels() {}

  /** Elements of a unit of {@link #MASK}. */
  public static long unitElements(long m, long inner) {
    long eight = 8 * m * inner;
    return eight * (eight >= 4096 ? 1 : 4096 / eight);
  }

  /** Writes the bits of a unit, which starts at a byte. */
  private static final class UnitBits {
    private final byte[] one = new byte[1];

    /** Clears the mask from a first element on, a multiple of 8, to the last. */
    static void clear(JavaCall call, long first, long last) {
      byte[] zeros = new byte[KeyRun.LONGEST];
      long end = (last + 7) / 8;
      for (long at = first / 8; at < end; at += KeyRun.LONGEST) {
        call.array(1).putBytes(at, zeros, (int) Math.min(KeyRun.LONGEST, end - at));
      }
    }

    void keep(JavaCall call, long element) {
      call.array(1).getBytes(element / 8, one, 1);
      one[0] |= (byte) (1 << element % 8);
      call.array(1).putBytes(element / 8, one, 1);
    }
  }

  private static void mask(JavaCall call, long first, long last) {
    int n = (int) call.integer(1);
    int m = (int) call.integer(2);
    long inner = call.integer(3);
    long size = unitElements(m, inner);
    KeyRun run = new KeyRun(call.array(0), null, 0, false);
    UnitBits bits = new UnitBits();
    // The key comes first; of equal ones the lowest index.
    long[] order = new long[m];
    for (long unit = first; unit < last; unit++) {
      long end = Math.min((unit + 1) * size, call.integer(0));
      UnitBits.clear(call, unit * size, end);
      for (long block = unit * size; block < end; block += m * inner) {
        for (long column = 0; column < inner; column++) {
          for (int i = 0; i < m; i++) {
            order[i] = (long) ~run.at(block + column + i * inner) << 32 | i;
          }
          Arrays.sort(order);
          for (int k = 0; k < n; k++) {
            bits.keep(call, block + column + (int) order[k] * inner);
          }
        }
      }
    }
  }

  private static void transposable(JavaCall call, long first, long last) {
    int n = (int) call.integer(1);
    int m = (int) call.integer(2);
    long columns = call.integer(3);
    long size = 8L * m * columns;
    Tile tile = new Tile(call, n, m, columns);
    double[] kept = new double[1];
    for (long unit = first; unit < last; unit++) {
      long end = Math.min((unit + 1) * size, call.integer(0));
      UnitBits.clear(call, unit * size, end);
      kept[0] = 0.0;
      for (long band = unit * size; band < end; band += m * columns) {
        for (long at = band; at < band + columns && n > 0; at += m) {
          tile.load(at);
          if (call.integer(4) != 0) {
            tile.best();
          } else {
            tile.greedy();
          }
          kept[0] = tile.store(at, kept[0]);
        }
      }
      call.array(2).putDoubles(unit, kept, 1);
    }
  }

  /** A tile of M x M entries. */
  private static final class Tile {
    private final JavaCall call;
    private final int n;
    private final int m;
    private final long columns;
    private final KeyRun run;
    private final UnitBits bits = new UnitBits();
    private final int[] keys;
    private final boolean[] chosen;
    private final long[] order;

    Tile(JavaCall call, int n, int m, long columns) {
      this.call = call;
      this.n = n;
      this.m = m;
      this.columns = columns;
      run = new KeyRun(call.array(0), null, 0, false);
      keys = new int[m * m];
      chosen = new boolean[m * m];
      order = new long[m * m];
    }

    void load(long first) {
      for (int i = 0; i < m * m; i++) {
        keys[i] = run.at(first + i / m * columns + i % m);
      }
      Arrays.fill(chosen, false);
    }

    private double magnitude(int i) {
      DType dtype = call.array(0).dtype();
      return Keys.value(keys[i], dtype);
    }

    void greedy() {
      int[] inRow = new int[m];
      int[] inColumn = new int[m];
      for (int i = 0; i < m * m; i++) {
        order[i] = (long) ~keys[i] << 32 | i;
      }
      Arrays.sort(order);
      for (long word : order) {
        int i = (int) word;
        if (inRow[i / m] < n && inColumn[i % m] < n) {
          inRow[i / m]++;
          inColumn[i % m]++;
          chosen[i] = true;
        }
      }
    }

    void best() {
      int best = 0;
      double most = -1.0;
      for (int pattern = 0xFFFF; pattern > 0; pattern--) {
        if (!fits(pattern)) {
          continue;
        }
        double sum = 0.0;
        for (int i = 0; i < 16; i++) {
          if ((pattern >> (15 - i) & 1) != 0) {
            sum += magnitude(i);
          }
        }
        if (best == 0 || sum > most) {
          best = pattern;
          most = sum;
        }
      }
      for (int i = 0; i < 16; i++) {
        chosen[i] = (best >> (15 - i) & 1) != 0;
      }
    }

    private boolean fits(int pattern) {
      for (int k = 0; k < 4; k++) {
        if (Integer.bitCount(pattern >> (4 * k) & 15) != n
            || Integer.bitCount(pattern >> k & 0x1111) != n) {
          return false;
        }
      }
      return true;
    }

    /** Writes the bits; answers the sum of magnitudes with the tile's added. */
    double store(long first, double sum) {
      double kept = sum;
      for (int i = 0; i < m * m; i++) {
        if (chosen[i]) {
          bits.keep(call, first + i / m * columns + i % m);
          kept += magnitude(i);
        }
      }
      return kept;
    }
  }
}
