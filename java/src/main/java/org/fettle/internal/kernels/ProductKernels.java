package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Products with sparse matrices: twins of {@code native/src/kernels/sparse/products.h}. */
public final class ProductKernels {
  /** Rows of the batch of a tile. */
  public static final int TILE = 16;

  /** Rows of the matrix of a unit of a product. */
  public static final int ROWS = 32;

  /** A batch in transposed tiles. */
  public static final Kernel PACK = new Kernel("pack_batch", ProductKernels::pack);

  /** y = x W^T. */
  public static final Kernel CSR = new Kernel("csr_product", ProductKernels::csr);

  /** y = x W^T with two of four. */
  public static final Kernel SEMI24 = new Kernel("semi24_product", ProductKernels::semi24);

  /** dy^T x where a pattern has an entry. */
  public static final Kernel SAMPLED = new Kernel("csr_sampled", ProductKernels::sampled);

  private ProductKernels() {}

  private static void pack(JavaCall call, long first, long last) {
    int columns = (int) call.integer(1);
    for (long tile = first; tile < last; tile++) {
      int n = (int) Math.min(TILE, call.integer(0) - tile * TILE);
      float[] x = Copies.floats(call.array(0), tile * TILE * columns, (long) n * columns);
      float[] out = new float[TILE * columns];
      for (int j = 0; j < columns; j++) {
        for (int i = 0; i < n; i++) {
          out[j * TILE + i] = x[i * columns + j];
        }
      }
      Copies.put(call.array(1), tile * TILE * columns, out);
    }
  }

  /** The rows of a unit times a tile; sums stay where they are needed. */
  static final class Unit {
    private final JavaCall call;
    private final long tile;
    final long firstRow;
    final int rows;
    private final float[] x;
    private final double[] sums = new double[TILE];
    private final float[] one = new float[1];

    Unit(JavaCall call, long unit) {
      this.call = call;
      long blocks = (call.integer(1) + ROWS - 1) / ROWS;
      tile = unit / blocks;
      firstRow = unit % blocks * ROWS;
      rows = (int) Math.min(ROWS, call.integer(1) - firstRow);
      long columns = call.integer(2);
      x = Copies.floats(call.array(3), tile * TILE * columns, TILE * columns);
    }

    void clear() {
      java.util.Arrays.fill(sums, 0.0);
    }

    void add(float value, int column) {
      double factor = value;
      for (int i = 0; i < TILE; i++) {
        sums[i] += factor * x[column * TILE + i];
      }
    }

    void store(long row) {
      int n = (int) Math.min(TILE, call.integer(0) - tile * TILE);
      for (int i = 0; i < n; i++) {
        one[0] = (float) sums[i];
        call.array(4).putFloats((tile * TILE + i) * call.integer(1) + row, one, 1);
      }
    }
  }

  private static void csr(JavaCall call, long first, long last) {
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      for (long row = unit.firstRow; row < unit.firstRow + unit.rows; row++) {
        int[] ends = Copies.ints(call.array(0), row, 2);
        int[] places = Copies.ints(call.array(1), ends[0], ends[1] - ends[0]);
        float[] values = Copies.floats(call.array(2), ends[0], ends[1] - ends[0]);
        unit.clear();
        for (int p = 0; p < places.length; p++) {
          unit.add(values[p], places[p]);
        }
        unit.store(row);
      }
    }
  }

  private static void semi24(JavaCall call, long first, long last) {
    int columns = (int) call.integer(2);
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      for (long row = unit.firstRow; row < unit.firstRow + unit.rows; row++) {
        float[] values = Copies.floats(call.array(0), row * columns / 2, columns / 2);
        byte[] codes = Copies.bytes(call.array(1), row * columns / 8, columns / 8);
        unit.clear();
        for (int quad = 0; quad < columns / 4; quad++) {
          int nibble = codes[quad / 2] >> (4 * (quad % 2)) & 15;
          unit.add(values[2 * quad], 4 * quad + (nibble & 3));
          unit.add(values[2 * quad + 1], 4 * quad + (nibble >> 2));
        }
        unit.store(row);
      }
    }
  }

  private static void sampled(JavaCall call, long first, long last) {
    long batch = call.integer(0);
    long rows = call.integer(1);
    long columns = call.integer(2);
    float[] dy = new float[1];
    for (long row = first; row < last; row++) {
      int[] ends = Copies.ints(call.array(0), row, 2);
      int[] places = Copies.ints(call.array(1), ends[0], ends[1] - ends[0]);
      double[] sums = new double[places.length];
      for (long b = 0; b < batch; b++) {
        call.array(3).getFloats(b * rows + row, dy, 1);
        float[] x = Copies.floats(call.array(4), b * columns, columns);
        for (int p = 0; p < places.length; p++) {
          sums[p] += (double) dy[0] * x[places[p]];
        }
      }
      float[] values = new float[sums.length];
      for (int p = 0; p < sums.length; p++) {
        values[p] = (float) sums[p];
      }
      Copies.put(call.array(2), ends[0], values);
    }
  }
}
