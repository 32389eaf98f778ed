package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Sparse activations: twins of {@code native/src/kernels/sparse/activations.h}. */
public final class ActivationKernels {
  /** Rows of a unit of {@link #TRANSPOSE}. */
  public static final int TRANSPOSE_ROWS = 64;

  /** A matrix to its transposed. */
  public static final Kernel TRANSPOSE = new Kernel("transpose", ActivationKernels::transpose);

  /** Kept entries, rectified, to where they stand. */
  public static final Kernel SCATTER = new Kernel("scatter_rows", ActivationKernels::scatter);

  /** Sparse rows times a matrix. */
  public static final Kernel DECODE = new Kernel("decode_rows", ActivationKernels::decode);

  /** Mean square errors over mean squares. */
  public static final Kernel SQUARE_RATIO =
      new Kernel("square_ratio", ActivationKernels::squareRatio);

  /** Rectified values where a mask is 1. */
  public static final Kernel RECTIFY_MASKED =
      new Kernel("rectify_masked", ActivationKernels::rectifyMasked);

  /** Columns that a mask chooses. */
  public static final Kernel SELECT_COLUMNS =
      new Kernel("select_columns", ActivationKernels::selectColumns);

  private static final int UNIT = ScoreKernels.UNIT;

  private ActivationKernels() {}

  private static float rectified(float x) {
    return x <= 0f ? 0f : x;
  }

  private static void transpose(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    float[] part = new float[TRANSPOSE_ROWS];
    for (long unit = first; unit < last; unit++) {
      long row = unit * TRANSPOSE_ROWS;
      int n = (int) Math.min(TRANSPOSE_ROWS, rows - row);
      float[] x = Copies.floats(call.array(0), row * columns, n * columns);
      for (int j = 0; j < columns; j++) {
        for (int i = 0; i < n; i++) {
          part[i] = x[(int) (i * columns + j)];
        }
        call.array(1).putFloats(j * rows + row, part, n);
      }
    }
  }

  private static void scatter(JavaCall call, long first, long last) {
    long k = call.integer(0);
    long columns = call.integer(1);
    for (long row = first; row < last; row++) {
      float[] values = Copies.floats(call.array(0), row * k, k);
      int[] places = Copies.ints(call.array(1), row * k, k);
      float[] out = new float[(int) columns];
      for (int p = 0; p < values.length; p++) {
        out[places[p]] = rectified(values[p]);
      }
      Copies.put(call.array(2), row * columns, out);
    }
  }

  private static void decode(JavaCall call, long first, long last) {
    long k = call.integer(0);
    long width = call.integer(1);
    for (long row = first; row < last; row++) {
      float[] values = Copies.floats(call.array(0), row * k, k);
      int[] places = Copies.ints(call.array(1), row * k, k);
      double[] sums = new double[(int) width];
      for (int p = 0; p < values.length; p++) {
        double value = rectified(values[p]);
        if (value == 0.0) {
          continue;
        }
        float[] from = Copies.floats(call.array(2), places[p] * width, width);
        for (int j = 0; j < from.length; j++) {
          sums[j] += value * from[j];
        }
      }
      float[] out = new float[sums.length];
      for (int j = 0; j < out.length; j++) {
        out[j] = (float) sums[j];
      }
      Copies.put(call.array(3), row * width, out);
    }
  }

  private static void squareRatio(JavaCall call, long first, long last) {
    long width = call.integer(0);
    for (long row = first; row < last; row++) {
      float[] x = Copies.floats(call.array(0), row * width, width);
      float[] y = Copies.floats(call.array(1), row * width, width);
      float[] less =
          call.array(2) == null ? null : Copies.floats(call.array(2), row * width, width);
      LaneSum errors = new LaneSum();
      LaneSum squares = new LaneSum();
      for (int i = 0; i < x.length; i++) {
        double target = x[i];
        if (less != null) {
          target -= less[i];
        }
        double error = y[i] - target;
        errors.add(error * error);
        squares.add(target * target);
      }
      call.array(3).putDoubles(row, new double[] {errors.total() / squares.total()}, 1);
    }
  }

  private static void rectifyMasked(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      long at = unit * UNIT;
      float[] x = Copies.floats(call.array(0), at, Math.min(UNIT, call.integer(0) - at));
      byte[] bits = Copies.bytes(call.array(1), at / 8, (x.length + 7) / 8);
      for (int i = 0; i < x.length; i++) {
        x[i] = (bits[i / 8] >> (i % 8) & 1) != 0 ? rectified(x[i]) : 0f;
      }
      Copies.put(call.array(2), at, x);
    }
  }

  private static void selectColumns(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    byte[] bits = Copies.bytes(call.array(1), 0, (columns + 7) / 8);
    for (long row = first; row < last; row++) {
      float[] x = Copies.floats(call.array(0), row * columns, columns);
      for (int j = 0; j < x.length; j++) {
        x[j] = (bits[j / 8] >> (j % 8) & 1) != 0 ? x[j] : x[j] * 0f;
      }
      Copies.put(call.array(2), row * columns, x);
    }
  }
}
