package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.TileCodec;
import org.fettle.internal.Windows;

/**
 * Merging of models, element by element: twin of {@code native/src/kernels/merge/merges.h}, which
 * says what the arrays, integers and numbers mean.
 */
public final class MergeKernels {
  /** Where a call has its output. */
  public static final int OUT = 0;

  /** Where a call has the sums between calls. */
  public static final int ACCUMULATOR = 1;

  /** Where a call has the pre-trained model. */
  public static final int BASE = 2;

  /** Where a call has the base's weights, the rows' factors or the counts. */
  public static final int EXTRA = 3;

  /** Where a call has its first model. */
  public static final int MODEL = 4;

  /** The most models of a call without weights. */
  public static final int MOST_MODELS = 12;

  /** The most models of a call with weights, which stand that far behind their model. */
  public static final int MOST_WEIGHTED = 6;

  /** Linear combination. */
  public static final Kernel COMBINE = new Kernel("combine", call(new Combination()));

  /** Linear combination and base, mixed by a factor for each row. */
  public static final Kernel ROW_BLEND = new Kernel("row_blend", call(new RowBlend()));

  /** Merge by diagonal Fisher information. */
  public static final Kernel FISHER_MERGE = new Kernel("fisher_merge", call(new FisherMerge()));

  /** Merge by gradient matching. */
  public static final Kernel GRADIENT_MATCH =
      new Kernel("gradient_match", call(new GradientMatch()));

  private static final int TILE = TileCodec.TILE;

  private MergeKernels() {}

  /** The arrays of one tile, and what the call says. */
  private static final class Tile {
    final float[] x = new float[TILE];
    final float[] weight = new float[TILE];
    final float[] base = new float[TILE];
    final float[] baseWeight = new float[TILE];
    final float[] out = new float[TILE];
    final double[][] sums = new double[3][TILE];
    double rowFactor;
  }

  /** The arithmetic of a merge over a tile. */
  private interface Arithmetic {
    int sums();

    boolean weighted();

    boolean based();

    /** What the sums start from. */
    default double start(JavaCall call) {
      return 0.0;
    }

    default boolean byRows() {
      return false;
    }

    default boolean counts() {
      return false;
    }

    void add(JavaCall call, int k, Tile tile, int n);

    void finish(JavaCall call, Tile tile, int n);
  }

  private static class Combination implements Arithmetic {
    @Override
    public int sums() {
      return 1;
    }

    @Override
    public boolean weighted() {
      return false;
    }

    @Override
    public boolean based() {
      return false;
    }

    @Override
    public double start(JavaCall call) {
      return call.number(12);
    }

    @Override
    public void add(JavaCall call, int k, Tile tile, int n) {
      double c = call.number(k);
      double[] sum = tile.sums[0];
      float[] x = tile.x;
      for (int i = 0; i < n; i++) {
        sum[i] = Math.fma(c, (double) x[i], sum[i]);
      }
    }

    @Override
    public void finish(JavaCall call, Tile tile, int n) {
      for (int i = 0; i < n; i++) {
        tile.out[i] = (float) tile.sums[0][i];
      }
    }
  }

  private static final class RowBlend extends Combination {
    @Override
    public boolean based() {
      return true;
    }

    @Override
    public boolean byRows() {
      return true;
    }

    @Override
    public void finish(JavaCall call, Tile tile, int n) {
      double t = tile.rowFactor;
      double rest = 1.0 - t;
      for (int i = 0; i < n; i++) {
        tile.out[i] = (float) Math.fma(t, tile.sums[0][i], rest * tile.base[i]);
      }
    }
  }

  private static final class FisherMerge implements Arithmetic {
    @Override
    public int sums() {
      return 3;
    }

    @Override
    public boolean weighted() {
      return true;
    }

    @Override
    public boolean based() {
      return false;
    }

    @Override
    public boolean counts() {
      return true;
    }

    @Override
    public void add(JavaCall call, int k, Tile tile, int n) {
      double c = call.number(k);
      double plain = call.number(6 + k);
      double floor = call.number(12);
      boolean floored = (call.integer(6) >> k & 1) != 0;
      for (int i = 0; i < n; i++) {
        double weight = tile.weight[i];
        double x = tile.x[i];
        double factor = c * (floored && weight < floor ? floor : weight);
        tile.sums[0][i] = Math.fma(factor, x, tile.sums[0][i]);
        tile.sums[1][i] += factor;
        tile.sums[2][i] = Math.fma(plain, x, tile.sums[2][i]);
      }
    }

    @Override
    public void finish(JavaCall call, Tile tile, int n) {
      for (int i = 0; i < n; i++) {
        double sum = tile.sums[1][i];
        tile.out[i] = (float) (sum == 0.0 ? tile.sums[2][i] : tile.sums[0][i] / sum);
      }
    }
  }

  private static final class GradientMatch implements Arithmetic {
    @Override
    public int sums() {
      return 2;
    }

    @Override
    public boolean weighted() {
      return true;
    }

    @Override
    public boolean based() {
      return true;
    }

    private static double ofBase(JavaCall call, double baseWeight) {
      return Math.fma(call.number(13), baseWeight, call.number(14));
    }

    @Override
    public void add(JavaCall call, int k, Tile tile, int n) {
      double own = call.number(k);
      double scaled = call.number(12) * call.number(k);
      for (int i = 0; i < n; i++) {
        double weight = tile.weight[i];
        double factor = Math.fma(own, weight, ofBase(call, tile.baseWeight[i]));
        double delta = (double) tile.x[i] - (double) tile.base[i];
        tile.sums[0][i] = Math.fma(factor, delta, tile.sums[0][i]);
        tile.sums[1][i] = Math.fma(scaled, weight, tile.sums[1][i]);
      }
    }

    @Override
    public void finish(JavaCall call, Tile tile, int n) {
      for (int i = 0; i < n; i++) {
        double quotient = tile.sums[0][i] / (tile.sums[1][i] + ofBase(call, tile.baseWeight[i]));
        tile.out[i] = (float) Math.fma(call.number(12), quotient, (double) tile.base[i]);
      }
    }
  }

  private static org.fettle.internal.JavaKernel call(Arithmetic merge) {
    return (call, first, last) -> {
      Tile tile = new Tile();
      TileCodec codec = new TileCodec();
      for (long unit = first; unit < last; unit++) {
        unit(merge, call, unit, tile, codec);
      }
    };
  }

  private static void unit(Arithmetic merge, JavaCall call, long unit, Tile tile, TileCodec codec) {
    long start = call.integer(3);
    long at = start + unit * PlanSpec.CHUNK;
    long end = Math.min(at + PlanSpec.CHUNK, start + call.integer(4));
    double[] one = new double[1];
    if (merge.byRows()) {
      RowSpan span = RowSpan.of(call.integer(5), unit);
      at = span.first();
      end = span.last();
      call.array(EXTRA).getDoubles(span.row(), one, 1);
      tile.rowFactor = one[0];
    }
    boolean begins = call.integer(1) != 0;
    boolean ends = call.integer(2) != 0;
    long undecided = 0;
    for (long from = at; from < end; from += TILE) {
      int n = (int) Math.min(TILE, end - from);
      for (int s = 0; s < merge.sums(); s++) {
        if (begins) {
          Arrays.fill(tile.sums[s], 0, n, merge.start(call));
        } else {
          Windows kept = call.array(ACCUMULATOR);
          kept.getDoubles(s * call.integer(4) + from - start, tile.sums[s], n);
        }
      }
      if (merge.based()) {
        codec.decode(call.array(BASE), from, n, tile.base);
        if (merge.weighted()) {
          codec.decode(call.array(EXTRA), from, n, tile.baseWeight);
        }
      }
      for (int k = 0; k < call.integer(0); k++) {
        codec.decode(call.array(MODEL + k), from, n, tile.x);
        if (merge.weighted()) {
          codec.decode(call.array(MODEL + MOST_WEIGHTED + k), from, n, tile.weight);
        }
        merge.add(call, k, tile, n);
      }
      if (ends) {
        merge.finish(call, tile, n);
        codec.encode(call.array(OUT), from, n, tile.out);
        for (int i = 0; merge.counts() && i < n; i++) {
          undecided += tile.sums[1][i] == 0.0 ? 1 : 0;
        }
      } else {
        for (int s = 0; s < merge.sums(); s++) {
          Windows kept = call.array(ACCUMULATOR);
          kept.putDoubles(s * call.integer(4) + from - start, tile.sums[s], n);
        }
      }
    }
    if (merge.counts() && ends) {
      one[0] = undecided;
      call.array(EXTRA).putDoubles(at / PlanSpec.CHUNK, one, 1);
    }
  }
}
