package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/**
 * Products with matrices of blocks: twins of {@code native/src/kernels/sparse/block_products.h}.
 */
public final class BlockMatrixKernels {
  /** y = x W^T. */
  public static final Kernel PRODUCT =
      new Kernel("block_matrix_product", BlockMatrixKernels::product);

  /** dy^T x for all of the stored blocks. */
  public static final Kernel SAMPLED =
      new Kernel("block_matrix_sampled", BlockMatrixKernels::sampled);

  private BlockMatrixKernels() {}

  private static void product(JavaCall call, long first, long last) {
    long columns = call.integer(2);
    long b = call.integer(3);
    for (long number = first; number < last; number++) {
      ProductKernels.Unit unit = new ProductKernels.Unit(call, number);
      for (long row = unit.firstRow; row < unit.firstRow + unit.rows; row++) {
        int[] ends = Copies.ints(call.array(0), row / b, 2);
        int count = ends[1] - ends[0];
        int[] places = Copies.ints(call.array(1), ends[0], count);
        int[] which = call.array(5) == null ? null : Copies.ints(call.array(5), ends[0], count);
        unit.clear();
        for (int p = 0; p < count; p++) {
          long column = places[p] * b;
          if (column < 0) {
            continue;
          }
          long block = which == null ? ends[0] + p : which[p];
          float[] values =
              rowOf(call, block * b * b + row % b * call.integer(4), Math.min(b, columns - column));
          for (int j = 0; j < values.length; j++) {
            unit.add(values[j], (int) column + j);
          }
        }
        unit.store(row);
      }
    }
  }

  /** Values of a row of a block, which are as far apart as integer 5 says. */
  private static float[] rowOf(JavaCall call, long from, long n) {
    long apart = call.integer(5);
    if (apart == 1) {
      return Copies.floats(call.array(2), from, n);
    }
    float[] row = new float[(int) n];
    float[] one = new float[1];
    for (int j = 0; j < row.length; j++) {
      call.array(2).getFloats(from + j * apart, one, 1);
      row[j] = one[0];
    }
    return row;
  }

  private static void sampled(JavaCall call, long first, long last) {
    long batch = call.integer(0);
    long rows = call.integer(1);
    long columns = call.integer(2);
    int b = Math.toIntExact(call.integer(3));
    float[] dy = new float[1];
    for (long row = first; row < last; row++) {
      int[] ends = Copies.ints(call.array(0), row / b, 2);
      int[] places = Copies.ints(call.array(1), ends[0], ends[1] - ends[0]);
      for (int p = 0; p < places.length; p++) {
        long column = (long) places[p] * b;
        boolean there = column >= 0 && row < rows;
        double[] sums = new double[there ? (int) Math.min(b, columns - column) : 0];
        for (long i = 0; i < batch && there; i++) {
          call.array(3).getFloats(i * rows + row, dy, 1);
          float[] x = Copies.floats(call.array(4), i * columns + column, sums.length);
          for (int j = 0; j < sums.length; j++) {
            sums[j] += (double) dy[0] * x[j];
          }
        }
        float[] values = new float[b];
        for (int j = 0; j < sums.length; j++) {
          values[j] = (float) sums[j];
        }
        Copies.put(call.array(2), ((ends[0] + (long) p) * b + row % b) * b, values);
      }
    }
  }
}
