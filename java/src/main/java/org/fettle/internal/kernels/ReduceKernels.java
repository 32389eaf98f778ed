package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Reductions into arrays: twins of {@code native/src/kernels/reduce.h}. */
public final class ReduceKernels {
  private static final int RUN = 4096;

  /**
   * The largest magnitude of every row. Arrays: F32 values, F32 results, one per row. Integers:
   * columns.
   */
  public static final Kernel ROW_ABSOLUTE_MAX =
      new Kernel("row_absolute_max", ReduceKernels::rowAbsoluteMax);

  private ReduceKernels() {}

  private static void rowAbsoluteMax(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    float[] x = new float[RUN];
    float[] result = new float[1];
    for (long row = first; row < last; row++) {
      float largest = 0f;
      for (long at = 0; at < columns; at += RUN) {
        int n = (int) Math.min(RUN, columns - at);
        call.array(0).getFloats(row * columns + at, x, n);
        for (int i = 0; i < n; i++) {
          largest = Arithmetic.larger(largest, Math.abs(x[i]));
        }
      }
      result[0] = largest;
      call.array(1).putFloats(row, result, 1);
    }
  }
}
