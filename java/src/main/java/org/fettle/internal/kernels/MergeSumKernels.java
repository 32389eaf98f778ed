package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.Reduction;
import org.fettle.internal.TileCodec;

/** Sums over models, per chunk: twin of {@code native/src/kernels/merge/sums.h}. */
public final class MergeSumKernels {
  /** The most models whose inner products one call forms. */
  public static final int MOST_MODELS = 8;

  /** Inner products of all pairs of differences from a base. */
  public static final Kernel DELTA_DOTS = new Kernel("delta_dots", MergeSumKernels::deltaDots);

  /** Sums of deviations and of their squares. */
  public static final Kernel DEVIATION_SUMS =
      new Kernel("deviation_sums", MergeSumKernels::deviationSums);

  private static final int TILE = TileCodec.TILE;

  private MergeSumKernels() {}

  private static void deltaDots(JavaCall call, long firstUnit, long lastUnit) {
    TileCodec codec = new TileCodec();
    int count = (int) call.integer(0);
    float[][] x = new float[count][TILE];
    float[] base = new float[TILE];
    double[][] lanes = new double[count * (count + 1) / 2][PlanSpec.LANES];
    double[] results = new double[lanes.length];
    for (long unit = firstUnit; unit < lastUnit; unit++) {
      RowSpan span = RowSpan.of(call.integer(1), unit);
      int used = (int) Math.min(PlanSpec.LANES, span.last() - span.first());
      for (double[] lane : lanes) {
        Arrays.fill(lane, 0.0);
      }
      for (long at = span.first(); at < span.last(); at += TILE) {
        int n = (int) Math.min(TILE, span.last() - at);
        if (call.array(1) != null) {
          codec.decode(call.array(1), at, n, base);
        }
        for (int k = 0; k < count; k++) {
          codec.decode(call.array(2 + k), at, n, x[k]);
          for (int i = 0; call.array(1) != null && i < n; i++) {
            x[k][i] -= base[i];
          }
        }
        int pair = 0;
        for (int j = 0; j < count; j++) {
          for (int k = j; k < count; k++) {
            Reduction.accumulate(lanes[pair++], x[j], x[k], n);
          }
        }
      }
      for (int pair = 0; pair < lanes.length; pair++) {
        results[pair] = Reduction.tree(lanes[pair], 0, used);
      }
      call.array(0).putDoubles(unit * lanes.length, results, lanes.length);
    }
  }

  private static void deviationSums(JavaCall call, long firstUnit, long lastUnit) {
    TileCodec codec = new TileCodec();
    float[] x = new float[TILE];
    float[] ones = new float[TILE];
    Arrays.fill(ones, 1f);
    codec.decode(call.array(1), 0, 1, x);
    float shift = x[0];
    double[] plain = new double[PlanSpec.LANES];
    double[] square = new double[PlanSpec.LANES];
    double[] results = new double[2];
    for (long unit = firstUnit; unit < lastUnit; unit++) {
      Arrays.fill(plain, 0.0);
      Arrays.fill(square, 0.0);
      long end = Math.min((unit + 1) * PlanSpec.CHUNK, call.elements(1));
      for (long at = unit * PlanSpec.CHUNK; at < end; at += TILE) {
        int n = (int) Math.min(TILE, end - at);
        codec.decode(call.array(1), at, n, x);
        for (int i = 0; i < n; i++) {
          x[i] -= shift;
        }
        Reduction.accumulate(plain, x, ones, n);
        Reduction.accumulate(square, x, x, n);
      }
      results[0] = Reduction.tree(plain, 0, PlanSpec.LANES);
      results[1] = Reduction.tree(square, 0, PlanSpec.LANES);
      call.array(0).putDoubles(2 * unit, results, 2);
    }
  }
}
