package org.fettle.internal.kernels;

import org.fettle.DType;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/**
 * Products of matrices of integers and of signs: twins of {@code
 * native/src/kernels/products/products.h}, which tells the arrays and integers of a call.
 */
public final class IntegerProductKernels {
  /** Packs a right operand for {@link #INTEGER}. */
  public static final Kernel PACK = new Kernel("product_pack", IntegerProductKernels::pack);

  /** Products of integers, with the epilogue. */
  public static final Kernel INTEGER =
      new Kernel("integer_product", IntegerProductKernels::integer);

  /** Products of integers with a scale per block of 32 x 32. */
  public static final Kernel BLOCK = new Kernel("block_product", IntegerProductKernels::block);

  /** Products of rows of signs. */
  public static final Kernel BINARY = new Kernel("binary_product", IntegerProductKernels::binary);

  /** A product of floats over the rows of both, in double. */
  public static final Kernel TRANSPOSED =
      new Kernel("transposed_product", IntegerProductKernels::transposed);

  /** Rows of the right operand in a panel. */
  public static final int PANEL_ROWS = 16;

  /** Columns are padded to a multiple of this. */
  public static final int PANEL_DEPTH = 64;

  /** Rows of a unit of {@link #INTEGER}. */
  public static final int ROWS = 64;

  /** Columns of a unit of {@link #INTEGER}. */
  public static final int COLUMNS = 128;

  /** Side of a block of {@link #BLOCK}. */
  public static final int SIDE = 32;

  /** Columns of a unit of {@link #TRANSPOSED}. */
  public static final int TRANSPOSED_COLUMNS = 256;

  private static final int RUN = 4096;

  private IntegerProductKernels() {}

  /** How many pieces of a size cover a number. */
  public static long covers(long number, long size) {
    return number / size + (number % size != 0 ? 1 : 0);
  }

  /** Bytes of a packed panel. */
  public static long panelBytes(long depth) {
    return covers(depth, PANEL_DEPTH) * PANEL_DEPTH * PANEL_ROWS;
  }

  private static void pack(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long depth = call.integer(1);
    ByteRun run = new ByteRun();
    byte[] group = new byte[PANEL_ROWS * 4];
    byte[][] left = new byte[PANEL_ROWS][RUN];
    for (long panel = first; panel < last; panel++) {
      int[] sums = new int[PANEL_ROWS];
      long there = Math.min(PANEL_ROWS, rows - panel * PANEL_ROWS);
      long end = covers(depth, PANEL_DEPTH) * PANEL_DEPTH;
      for (long at = 0; at < end; at += RUN) {
        int n = (int) Math.max(0, Math.min(RUN, depth - at));
        for (int r = 0; r < there; r++) {
          call.array(0).getBytes((panel * PANEL_ROWS + r) * depth + at, left[r], n);
        }
        for (int k = 0; k < Math.min(RUN, end - at); k += 4) {
          for (int r = 0; r < PANEL_ROWS; r++) {
            for (int j = 0; j < 4; j++) {
              boolean inside = r < there && k + j < n;
              group[r * 4 + j] = inside ? (byte) (left[r][k + j] ^ 0x80) : 0;
              sums[r] += inside ? left[r][k + j] : 0;
            }
          }
          call.array(1)
              .putBytes(panel * panelBytes(depth) + (at + k) * PANEL_ROWS, group, group.length);
        }
      }
      for (int r = 0; r < there; r++) {
        run.putInt(call.array(2), panel * PANEL_ROWS + r, sums[r]);
      }
    }
  }

  private static void integer(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    long depth = call.integer(2);
    long across = covers(columns, COLUMNS);
    ProductEnd end = new ProductEnd(call);
    byte[] left = new byte[RUN];
    byte[] right = new byte[RUN * PANEL_ROWS];
    byte[] piece = new byte[RUN];
    int[][] sums = new int[ROWS][PANEL_ROWS];
    for (long unit = first; unit < last; unit++) {
      long firstRow = unit / across * ROWS;
      int rowCount = (int) Math.min(ROWS, rows - firstRow);
      long lastColumn = Math.min(unit % across * COLUMNS + COLUMNS, columns);
      for (long column = unit % across * COLUMNS; column < lastColumn; column += PANEL_ROWS) {
        for (int[] row : sums) {
          java.util.Arrays.fill(row, 0);
        }
        long panel = column / PANEL_ROWS * panelBytes(depth);
        for (long at = 0; at < depth; at += RUN) {
          int n = (int) Math.min(RUN, depth - at);
          int groups = (n + 3) / 4;
          for (int g = 0; g < groups; g += 64) {
            int bytes = Math.min(64, groups - g) * 64;
            call.array(1).getBytes(panel + at * PANEL_ROWS + g * 64L, piece, bytes);
            System.arraycopy(piece, 0, right, g * 64, bytes);
          }
          for (int r = 0; r < rowCount; r++) {
            call.array(0).getBytes((firstRow + r) * depth + at, left, n);
            for (int k = 0; k < n; k++) {
              int a = left[k];
              int base = (k >> 2) * 64 + (k & 3);
              for (int c = 0; c < PANEL_ROWS; c++) {
                sums[r][c] += a * ((right[base + 4 * c] & 0xFF) - 128);
              }
            }
          }
        }
        int n = (int) Math.min(PANEL_ROWS, lastColumn - column);
        for (int r = 0; r < rowCount; r++) {
          end.finish(firstRow + r, column, sums[r], n);
        }
      }
    }
  }

  private static void block(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    long depth = call.integer(2);
    long across = covers(columns, SIDE);
    long blocks = covers(depth, SIDE);
    ByteRun run = new ByteRun();
    byte[] left = new byte[SIDE];
    byte[][] right = new byte[SIDE][SIDE];
    float[][] sums = new float[SIDE][SIDE];
    for (long unit = first; unit < last; unit++) {
      long blockRow = unit / across;
      long blockColumn = unit % across;
      int rowCount = (int) Math.min(SIDE, rows - blockRow * SIDE);
      int columnCount = (int) Math.min(SIDE, columns - blockColumn * SIDE);
      for (float[] row : sums) {
        java.util.Arrays.fill(row, 0f);
      }
      for (long block = 0; block < blocks; block++) {
        int n = (int) Math.min(SIDE, depth - block * SIDE);
        float scale =
            run.floatAt(call.array(1), blockRow * blocks + block)
                * run.floatAt(call.array(3), blockColumn * blocks + block);
        for (int c = 0; c < columnCount; c++) {
          call.array(2).getBytes((blockColumn * SIDE + c) * depth + block * SIDE, right[c], n);
        }
        for (int r = 0; r < rowCount; r++) {
          call.array(0).getBytes((blockRow * SIDE + r) * depth + block * SIDE, left, n);
          for (int c = 0; c < columnCount; c++) {
            int sum = 0;
            for (int k = 0; k < n; k++) {
              sum += left[k] * right[c][k];
            }
            sums[r][c] = org.fettle.Arithmetic.fma(sum, scale, sums[r][c]);
          }
        }
      }
      for (int r = 0; r < rowCount; r++) {
        call.array(4)
            .putFloats((blockRow * SIDE + r) * columns + blockColumn * SIDE, sums[r], columnCount);
      }
    }
  }

  private static void binary(JavaCall call, long first, long last) {
    long columns = call.integer(1);
    long depth = call.integer(2);
    long words = covers(depth, 64);
    long across = covers(columns, 64);
    ByteRun run = new ByteRun();
    long[] left = new long[RUN];
    long[] right = new long[RUN];
    for (long unit = first; unit < last; unit++) {
      long row = unit / across;
      long end = Math.min((unit % across + 1) * 64, columns);
      for (long column = unit % across * 64; column < end; column++) {
        long differing = 0;
        for (long at = 0; at < words; at += RUN) {
          int n = (int) Math.min(RUN, words - at);
          call.array(0).getLongs(row * words + at, left, n);
          call.array(1).getLongs(column * words + at, right, n);
          for (int i = 0; i < n; i++) {
            differing += Long.bitCount(left[i] ^ right[i]);
          }
        }
        int sum = (int) (depth - 2 * differing);
        if (call.array(2).dtype() == DType.I32) {
          run.putInt(call.array(2), row * columns + column, sum);
        } else {
          float scale = call.array(3) == null ? 1f : run.floatAt(call.array(3), column);
          run.putFloat(call.array(2), row * columns + column, sum * scale);
        }
      }
    }
  }

  private static void transposed(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    long depth = call.integer(2);
    long across = covers(columns, TRANSPOSED_COLUMNS);
    ByteRun run = new ByteRun();
    double[] sums = new double[TRANSPOSED_COLUMNS];
    for (long unit = first; unit < last; unit++) {
      long row = unit / across;
      long column = unit % across * TRANSPOSED_COLUMNS;
      int n = (int) Math.min(TRANSPOSED_COLUMNS, columns - column);
      java.util.Arrays.fill(sums, 0.0);
      for (long k = 0; k < depth; k++) {
        double left = run.floatAt(call.array(0), k * rows + row);
        call.array(1).getFloats(k * columns + column, run.floats, n);
        for (int i = 0; i < n; i++) {
          sums[i] += left * run.floats[i];
        }
      }
      for (int i = 0; i < n; i++) {
        run.floats[i] = (float) sums[i];
      }
      call.array(2).putFloats(row * columns + column, run.floats, n);
    }
  }
}
