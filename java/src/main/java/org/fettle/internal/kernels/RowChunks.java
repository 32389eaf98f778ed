package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.JavaKernel;
import org.fettle.internal.Trees;

/**
 * Elementwise estimators over rows: twin of {@code native/src/kernels/estimators/chunks.h}, which
 * says what an operation, its arrays and its integers are.
 *
 * @param inputs arrays that are read
 * @param outputs arrays that are written
 * @param sums sums per row
 * @param rowValues values that every row has
 * @param operation the arithmetic
 */
record RowChunks(int inputs, int outputs, int sums, int rowValues, Operation operation)
    implements JavaKernel {
  /** Elements of a chunk. */
  static final int CHUNK = 4096;

  private static final int LANES = 128;
  private static final int PARTIAL_SUMS = 15;

  /** The arithmetic of an operation, a chunk at a time. */
  @FunctionalInterface
  interface Operation {
    /**
     * Computes n elements.
     *
     * @param c the call's numbers, then from 8 on the row's values
     * @param n how many elements
     * @param in the inputs
     * @param out the outputs
     * @param a first factors of the terms of the sums
     * @param b second factors
     */
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b);
  }

  @Override
  public void run(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    long chunks = call.integer(1);
    float[][] in = new float[inputs][CHUNK];
    float[][] out = new float[outputs][CHUNK];
    float[][] a = new float[sums][CHUNK];
    float[][] b = new float[sums][CHUNK];
    float[] c = new float[16];
    float[] row = new float[Math.max(1, rowValues)];
    double[] lanes = new double[LANES];
    double[] result = new double[Math.max(1, sums)];
    for (long unit = first; unit < last; unit++) {
      long line = unit / chunks;
      long start = (unit - line * chunks) * CHUNK;
      int n = (int) Math.min(CHUNK, columns - start);
      for (int k = 0; k < 8; k++) {
        c[k] = (float) call.number(k);
      }
      if (rowValues > 0) {
        call.array(inputs + outputs)
            .getFloats(call.integer(2) != 0 ? line * rowValues : 0, row, rowValues);
        System.arraycopy(row, 0, c, 8, rowValues);
      }
      for (int k = 0; k < inputs; k++) {
        call.array(k).getFloats(line * columns + start, in[k], n);
      }
      operation.apply(c, n, in, out, a, b);
      for (int k = 0; k < outputs; k++) {
        call.array(inputs + k).putFloats(line * columns + start, out[k], n);
      }
      for (int k = 0; k < sums; k++) {
        java.util.Arrays.fill(lanes, 0.0);
        for (int i = 0; i < n; i++) {
          lanes[i % LANES] += (double) a[k][i] * b[k][i];
        }
        result[k] = Trees.sum(lanes, LANES);
      }
      if (sums > 0) {
        call.array(PARTIAL_SUMS).putDoubles(unit * sums, result, sums);
      }
    }
  }
}
