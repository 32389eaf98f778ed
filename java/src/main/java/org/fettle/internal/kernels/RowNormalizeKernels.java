package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.Reduction;
import org.fettle.internal.TileCodec;

/**
 * Forced weight normalisation and its gradient: twin of {@code
 * native/src/kernels/merge/row_normalize.h}.
 */
public final class RowNormalizeKernels {
  /** Rows of nearly unit RMS. */
  public static final Kernel ROW_NORMALIZE =
      new Kernel("row_normalize", RowNormalizeKernels::normalize);

  /** The gradient through that. */
  public static final Kernel ROW_NORMALIZE_GRADIENT =
      new Kernel("row_normalize_gradient", RowNormalizeKernels::gradient);

  private static final int TILE = TileCodec.TILE;

  private final TileCodec codec = new TileCodec();
  private final float[] x = new float[TILE];
  private final float[] y = new float[TILE];
  private final double[] lanes = new double[PlanSpec.LANES];
  private final JavaCall call;
  private final long length;

  private RowNormalizeKernels(JavaCall call) {
    this.call = call;
    length = call.integer(0);
  }

  private static void normalize(JavaCall call, long first, long last) {
    RowNormalizeKernels rows = new RowNormalizeKernels(call);
    for (long row = first; row < last; row++) {
      rows.normalize(row);
    }
  }

  private static void gradient(JavaCall call, long first, long last) {
    RowNormalizeKernels rows = new RowNormalizeKernels(call);
    for (long row = first; row < last; row++) {
      rows.gradient(row);
    }
  }

  private void normalize(long row) {
    float c = (float) (call.number(1) / divisor(dot(0, 0, row)));
    long end = (row + 1) * length;
    for (long at = row * length; at < end; at += TILE) {
      int n = (int) Math.min(TILE, end - at);
      codec.decode(call.array(0), at, n, x);
      for (int i = 0; i < n; i++) {
        x[i] *= c;
      }
      codec.encode(call.array(1), at, n, x);
    }
  }

  private void gradient(long row) {
    double square = dot(0, 0, row);
    double product = dot(0, 1, row);
    double q = divisor(square);
    double slope = -(call.number(1) * product * call.number(2)) / (q * q * Math.sqrt(square));
    boolean alone = length == 1;
    float along = alone || square == 0.0 ? 0f : (float) slope;
    float direct = (float) (alone ? call.number(1) * call.number(0) / (q * q) : call.number(1) / q);
    long end = (row + 1) * length;
    for (long at = row * length; at < end; at += TILE) {
      int n = (int) Math.min(TILE, end - at);
      codec.decode(call.array(0), at, n, x);
      codec.decode(call.array(1), at, n, y);
      for (int i = 0; i < n; i++) {
        y[i] = Arithmetic.fma(along, x[i], direct * y[i]);
      }
      codec.encode(call.array(2), at, n, y);
    }
  }

  private double divisor(double square) {
    return call.number(0) + Math.sqrt(square) * call.number(2);
  }

  private double dot(int a, int b, long row) {
    double[] sums = new double[Math.toIntExact(RowSpan.chunks(length))];
    for (int chunk = 0; chunk < sums.length; chunk++) {
      long start = row * length + (long) chunk * PlanSpec.CHUNK;
      long end = Math.min(start + PlanSpec.CHUNK, (row + 1) * length);
      Arrays.fill(lanes, 0.0);
      for (long at = start; at < end; at += TILE) {
        int n = (int) Math.min(TILE, end - at);
        codec.decode(call.array(a), at, n, x);
        codec.decode(call.array(b), at, n, y);
        Reduction.accumulate(lanes, x, y, n);
      }
      sums[chunk] = Reduction.tree(lanes, 0, (int) Math.min(PlanSpec.LANES, end - start));
    }
    return Reduction.tree(sums, 0, sums.length);
  }
}
