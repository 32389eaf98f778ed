package org.fettle.internal.kernels;

import org.fettle.DType;
import org.fettle.internal.Formats;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Windows;

/**
 * Products with 2:4 matrices of 16-bit elements: twins of {@code
 * native/src/kernels/sparse/half_products.h}, which tells the arrays and integers of a call and how
 * words of codes are laid out.
 */
public final class HalfProductKernels {
  /** Rows of a unit of {@link #WORDS}. */
  public static final int WORD_ROWS = 32;

  /** Columns of a word. */
  public static final int WORD_COLUMNS = 32;

  /** Codes in words. */
  public static final Kernel WORDS = new Kernel("semi24_words", HalfProductKernels::words);

  /** y = x W^T with two of four. */
  public static final Kernel PRODUCT =
      new Kernel("semi24_half_product", HalfProductKernels::product);

  /** Positions 0 and 1 twice: what stands where the matrix has no quad. */
  private static final int EMPTY = 0x44;

  private static final int TILE = ProductKernels.TILE;

  private HalfProductKernels() {}

  private static long covers(long number, long size) {
    return IntegerProductKernels.covers(number, size);
  }

  private static void words(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    boolean cutlass = call.integer(2) != 0;
    long stride = covers(rows, WORD_ROWS) * WORD_ROWS;
    byte[] bytes = new byte[4 * WORD_ROWS];
    int[] words = new int[WORD_ROWS];
    long[] wrong = new long[1];
    for (long group = first; group < last; group++) {
      wrong[0] = 0;
      for (long step = 0; step < covers(columns, WORD_COLUMNS); step++) {
        if (cutlass) {
          call.array(0).getBytes((step * rows + group * WORD_ROWS) * 4, bytes, bytes.length);
        }
        for (int place = 0; place < WORD_ROWS; place++) {
          if (cutlass) {
            words[place] =
                (bytes[4 * place] & 0xFF)
                    | (bytes[4 * place + 1] & 0xFF) << 8
                    | (bytes[4 * place + 2] & 0xFF) << 16
                    | (bytes[4 * place + 3] & 0xFF) << 24;
          } else {
            long row = group * WORD_ROWS + place / 4 + place % 4 / 2 * 16L;
            long at = (step * WORD_COLUMNS + place % 2 * 16L) / 8;
            words[place] = half(call, row, at, bytes) | half(call, row + 8, at, bytes) << 16;
          }
          wrong[0] += wrongPairs(words[place]);
        }
        call.array(1).putInts(step * stride + group * WORD_ROWS, words, WORD_ROWS);
      }
      call.array(2).putLongs(group, wrong, 1);
    }
  }

  private static int half(JavaCall call, long row, long first, byte[] codes) {
    long bytes = call.integer(1) / 8;
    int there = row < call.integer(0) ? (int) Math.max(0, Math.min(2, bytes - first)) : 0;
    if (there > 0) {
      call.array(0).getBytes(row * bytes + first, codes, there);
    }
    int low = there > 0 ? codes[0] & 0xFF : EMPTY;
    int high = there > 1 ? codes[1] & 0xFF : EMPTY;
    return low | high << 8;
  }

  private static int wrongPairs(int word) {
    int wrong = 0;
    for (int i = 0; i < 32; i += 4) {
      wrong += (word >>> (i + 2) & 3) <= (word >>> i & 3) ? 1 : 0;
    }
    return wrong;
  }

  /** What a unit keeps while it passes along the columns. */
  private static final class Unit {
    private final JavaCall call;
    private final long rows;
    private final long columns;
    private final long tile;
    private final int n;
    private final long firstRow;
    private final int count;
    private final double[][] sums = new double[ProductKernels.ROWS][TILE];
    private final float[] x = new float[WORD_COLUMNS * TILE];
    private final short[] codes = new short[WORD_COLUMNS];
    private final int[] words = new int[WORD_ROWS];

    Unit(JavaCall call, long unit) {
      this.call = call;
      rows = call.integer(1);
      columns = call.integer(2);
      long blocks = covers(rows, ProductKernels.ROWS);
      tile = unit / blocks;
      n = (int) Math.min(TILE, call.integer(0) - tile * TILE);
      firstRow = unit % blocks * ProductKernels.ROWS;
      count = (int) Math.min(ProductKernels.ROWS, rows - firstRow);
    }

    void run() {
      long stride = covers(rows, WORD_ROWS) * WORD_ROWS;
      for (long column = 0; column < columns; column += WORD_COLUMNS) {
        int width = (int) Math.min(WORD_COLUMNS, columns - column);
        widen(column, width);
        call.array(1).getInts(column / WORD_COLUMNS * stride + firstRow, words, WORD_ROWS);
        for (int row = 0; row < count; row++) {
          add(row, column, width);
        }
      }
      store();
    }

    /** The part of the batch that belongs to these columns. */
    private void widen(long column, int width) {
      DType dtype = call.array(2).dtype();
      for (int i = 0; i < n; i++) {
        call.array(2).getShorts((tile * TILE + i) * columns + column, codes, width);
        for (int j = 0; j < width; j++) {
          x[j * TILE + i] = Formats.decode(dtype, codes[j]);
        }
      }
    }

    private void add(int row, long column, int width) {
      Windows values = call.array(0);
      values.getShorts(((firstRow + row) * columns + column) / 2, codes, width / 2);
      for (int quad = 0; quad < width / 4; quad++) {
        int word = words[row % 8 * 4 + row / 16 * 2 + quad / 4];
        int nibble = word >>> (row / 8 % 2 * 16 + quad % 4 * 4) & 15;
        for (int entry = 0; entry < 2; entry++) {
          double value = Formats.decode(values.dtype(), codes[2 * quad + entry]);
          int at = (4 * quad + (nibble >>> (2 * entry) & 3)) * TILE;
          for (int i = 0; i < TILE; i++) {
            sums[row][i] += value * x[at + i];
          }
        }
      }
    }

    private void store() {
      DType dtype = call.array(3).dtype();
      float[] floats = new float[count];
      short[] shorts = new short[count];
      for (int i = 0; i < n; i++) {
        long at = (tile * TILE + i) * rows + firstRow;
        for (int row = 0; row < count; row++) {
          floats[row] = (float) sums[row][i];
          if (dtype != DType.F32) {
            shorts[row] = Formats.nearest(dtype, floats[row]);
          }
        }
        if (dtype == DType.F32) {
          call.array(3).putFloats(at, floats, count);
        } else {
          call.array(3).putShorts(at, shorts, count);
        }
      }
    }
  }

  private static void product(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      new Unit(call, unit).run();
    }
  }
}
