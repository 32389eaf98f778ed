package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Windows;

/** Sparse matrix formats: twins of {@code native/src/kernels/sparse/formats.h}. */
public final class FormatKernels {
  /** Two of four. */
  public static final Kernel SEMI24_COMPRESS =
      new Kernel("semi24_compress", FormatKernels::compress);

  /** Two of four, back to a dense matrix. */
  public static final Kernel SEMI24_DECOMPRESS =
      new Kernel("semi24_decompress", FormatKernels::decompress);

  /** Kept entries of every row. */
  public static final Kernel CSR_COUNT = new Kernel("csr_count", FormatKernels::csrCount);

  /** Columns and values of the kept entries. */
  public static final Kernel CSR_FILL = new Kernel("csr_fill", FormatKernels::csrFill);

  /** Compressed rows, back to a dense matrix. */
  public static final Kernel CSR_DENSE = new Kernel("csr_dense", FormatKernels::csrDense);

  /** Entries of compressed rows whose column is none. */
  public static final Kernel INDEX_FAULTS = new Kernel("index_faults", FormatKernels::indexFaults);

  /** Whether a block holds any mask bit. */
  public static final Kernel BLOCK_FLAGS = new Kernel("block_flags", FormatKernels::blockFlags);

  /** The values of blocks. */
  public static final Kernel BLOCK_FILL = new Kernel("block_fill", FormatKernels::blockFill);

  /** Blocks, back to a dense matrix. */
  public static final Kernel BLOCK_DENSE = new Kernel("block_dense", FormatKernels::blockDense);

  private static final int[] FIRST = {2, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0, 2, 0, 1, 0};
  private static final int[] SECOND = {3, 2, 2, 1, 3, 2, 2, 1, 3, 3, 3, 1, 3, 3, 3, 1};

  private FormatKernels() {}

  /** Bits of a run of elements that may start within a byte. */
  private static boolean[] flags(Windows mask, long first, long n) {
    boolean[] flags = new boolean[(int) n];
    if (n == 0) {
      return flags;
    }
    byte[] bits = Copies.bytes(mask, first / 8, (first + n + 7) / 8 - first / 8);
    for (int i = 0; i < flags.length; i++) {
      long at = first % 8 + i;
      flags[i] = (bits[(int) (at / 8)] >> (at % 8) & 1) != 0;
    }
    return flags;
  }

  private static void compress(JavaCall call, long first, long last) {
    int columns = (int) call.integer(0);
    int bits = (int) call.integer(1);
    int magnitude = bits == 32 ? 0x7FFFFFFF : bits == 16 ? 0x7FFF : 0xFF;
    for (long row = first; row < last; row++) {
      int[] dense = Copies.words(call.array(0), row * columns, columns, bits);
      boolean[] mask = call.array(1) == null ? null : flags(call.array(1), row * columns, columns);
      int[] values = new int[columns / 2];
      byte[] codes = new byte[columns / 8];
      long wrong = 0;
      for (int quad = 0; quad < columns / 4; quad++) {
        int kept = 0;
        for (int j = 0; j < 4; j++) {
          boolean one = mask != null ? mask[4 * quad + j] : (dense[4 * quad + j] & magnitude) != 0;
          kept |= (one ? 1 : 0) << j;
        }
        wrong += Integer.bitCount(kept) > 2 ? 1 : 0;
        int[] places = {FIRST[kept], SECOND[kept]};
        for (int k = 0; k < 2; k++) {
          boolean take = mask == null || (kept >> places[k] & 1) != 0;
          values[2 * quad + k] = take ? dense[4 * quad + places[k]] : 0;
        }
        codes[quad / 2] |= (byte) ((places[0] | places[1] << 2) << (4 * (quad % 2)));
      }
      Copies.putWords(call.array(2), row * columns / 2, values, bits);
      Copies.put(call.array(3), row * columns / 8, codes);
      call.array(4).putLongs(row, new long[] {wrong}, 1);
    }
  }

  private static void decompress(JavaCall call, long first, long last) {
    int columns = (int) call.integer(0);
    int bits = (int) call.integer(1);
    for (long row = first; row < last; row++) {
      int[] values = Copies.words(call.array(0), row * columns / 2, columns / 2, bits);
      byte[] codes = Copies.bytes(call.array(1), row * columns / 8, columns / 8);
      int[] dense = new int[columns];
      for (int quad = 0; quad < columns / 4; quad++) {
        int nibble = codes[quad / 2] >> (4 * (quad % 2)) & 15;
        dense[4 * quad + (nibble & 3)] = values[2 * quad];
        dense[4 * quad + (nibble >> 2)] = values[2 * quad + 1];
      }
      Copies.putWords(call.array(2), row * columns, dense, bits);
    }
  }

  private static void csrCount(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    for (long row = first; row < last; row++) {
      int count = 0;
      for (boolean kept : flags(call.array(0), row * columns, columns)) {
        count += kept ? 1 : 0;
      }
      call.array(1).putInts(row, new int[] {count}, 1);
    }
  }

  private static void csrFill(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    for (long row = first; row < last; row++) {
      boolean[] kept = flags(call.array(0), row * columns, columns);
      float[] x = Copies.floats(call.array(1), row * columns, columns);
      int at = Copies.ints(call.array(2), row, 1)[0];
      int[] places = new int[kept.length];
      float[] values = new float[kept.length];
      int n = 0;
      for (int j = 0; j < kept.length; j++) {
        if (kept[j]) {
          places[n] = j;
          values[n++] = x[j];
        }
      }
      Copies.put(call.array(3), at, places, n);
      Copies.put(call.array(4), at, Arrays.copyOf(values, n));
    }
  }

  private static void csrDense(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    for (long row = first; row < last; row++) {
      int[] ends = Copies.ints(call.array(0), row, 2);
      int[] places = Copies.ints(call.array(1), ends[0], ends[1] - ends[0]);
      float[] values = Copies.floats(call.array(2), ends[0], ends[1] - ends[0]);
      float[] out = new float[(int) columns];
      for (int p = 0; p < places.length; p++) {
        out[places[p]] = values[p];
      }
      Copies.put(call.array(3), row * columns, out);
    }
  }

  private static void indexFaults(JavaCall call, long first, long last) {
    long entries = call.integer(0);
    long least = call.integer(1);
    long columns = call.integer(2);
    for (long row = first; row < last; row++) {
      int[] ends = Copies.ints(call.array(0), row, 2);
      int faults = 0;
      if (ends[0] < 0 || ends[1] < ends[0] || ends[1] > entries) {
        faults = -1;
      } else {
        for (int place : Copies.ints(call.array(1), ends[0], ends[1] - ends[0])) {
          faults += place < least || place >= columns ? 1 : 0;
        }
      }
      call.array(2).putInts(row, new int[] {faults}, 1);
    }
  }

  private static void blockFlags(JavaCall call, long first, long last) {
    long columns = call.integer(1);
    int b = (int) call.integer(2);
    int across = (int) ((columns + b - 1) / b);
    for (long unit = first; unit < last; unit++) {
      byte[] found = new byte[across];
      for (long i = unit * b; i < Math.min(unit * b + b, call.integer(0)); i++) {
        boolean[] kept = flags(call.array(0), i * columns, columns);
        for (int j = 0; j < kept.length; j++) {
          found[j / b] |= (byte) (kept[j] ? 1 : 0);
        }
      }
      Copies.put(call.array(1), unit * across, found);
    }
  }

  private static void blockFill(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    int b = (int) call.integer(2);
    for (long unit = first; unit < last; unit++) {
      long row = (long) Copies.ints(call.array(1), unit, 1)[0] * b;
      long column = (long) Copies.ints(call.array(2), unit, 1)[0] * b;
      float[] out = new float[b * b];
      for (int i = 0; i < b && column >= 0 && row + i < rows; i++) {
        float[] x =
            Copies.floats(
                call.array(0), (row + i) * columns + column, Math.min(b, columns - column));
        System.arraycopy(x, 0, out, i * b, x.length);
      }
      Copies.put(call.array(3), unit * b * b, out);
    }
  }

  private static void blockDense(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    int b = (int) call.integer(2);
    for (long unit = first; unit < last; unit++) {
      long row = (long) Copies.ints(call.array(1), unit, 1)[0] * b;
      long column = (long) Copies.ints(call.array(2), unit, 1)[0] * b;
      for (int i = 0; i < b && column >= 0 && row + i < rows; i++) {
        float[] x = Copies.floats(call.array(0), (unit * b + i) * b, Math.min(b, columns - column));
        Copies.put(call.array(3), (row + i) * columns + column, x);
      }
    }
  }
}
