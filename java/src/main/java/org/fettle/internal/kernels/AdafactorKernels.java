package org.fettle.internal.kernels;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;

import java.util.Arrays;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.TileCodec;
import org.fettle.internal.Trees;
import org.fettle.internal.Windows;

/**
 * Adafactor's passes: twins of {@code native/src/kernels/steps/adafactor.h}, where the formulas and
 * the order of the sums stand.
 */
public final class AdafactorKernels {
  /** Rows whose terms a column adds one after another. */
  public static final int BLOCK_ROWS = 256;

  /**
   * Row and column sums of g * g + eps1, one unit per run of 4,096 columns in a block of 256 rows.
   * Arrays: g; row sums (F64), one per row and run; column sums (F64), one per column and block.
   * Integers: rows, columns of a matrix. Numbers: eps1.
   */
  public static final Kernel SUMS = new Kernel("adafactor_sums", AdafactorKernels::sums);

  /**
   * States and factors from the sums, which are used up; one unit per matrix. Arrays: row sums,
   * column sums (F64), R, C, row factors, column factors (F32). Integers: rows, columns. Numbers:
   * b, 1 - b.
   */
  public static final Kernel FACTORS = new Kernel("adafactor_factors", AdafactorKernels::factors);

  /**
   * Sums of u * u, one unit per chunk. Arrays: g, row factors, column factors (both may be null), v
   * (null with factors), sums (F64). Integers: elements, rows, columns. Numbers: eps1, b, 1 - b.
   */
  public static final Kernel SQUARES = new Kernel("adafactor_squares", AdafactorKernels::squares);

  /**
   * The update, one unit per chunk. Arrays: as those of the squares, with p in place of the sums,
   * and m (may be null) behind it. Numbers: those of the squares, the scale of u, decay, beta1, 1 -
   * beta1.
   */
  public static final Kernel APPLY = new Kernel("adafactor_apply", AdafactorKernels::apply);

  private static final int CHUNK = StepKernels.CHUNK;
  private static final int TILE = TileCodec.TILE;

  private AdafactorKernels() {}

  /** Units of {@link #SUMS} of a matrix. */
  public static long sumUnits(long rows, long columns) {
    return unitsOf(rows, BLOCK_ROWS) * unitsOf(columns, CHUNK);
  }

  private static long unitsOf(long elements, long size) {
    return elements / size + (elements % size != 0 ? 1 : 0);
  }

  private static void sums(JavaCall call, long first, long last) {
    long height = call.integer(0);
    long length = call.integer(1);
    double eps = call.number(0);
    long chunks = unitsOf(length, CHUNK);
    long blocks = unitsOf(height, BLOCK_ROWS);
    TileCodec codec = new TileCodec();
    float[] g = new float[TILE];
    double[] lanes = new double[PlanSpec.LANES];
    double[] columns = new double[CHUNK];
    double[] one = new double[1];
    for (long unit = first; unit < last; unit++) {
      long chunk = unit % chunks;
      long block = unit / chunks % blocks;
      long matrix = unit / chunks / blocks;
      long start = chunk * CHUNK;
      int width = (int) Math.min(CHUNK, length - start);
      long from = matrix * height + block * BLOCK_ROWS;
      long to = matrix * height + Math.min((block + 1) * BLOCK_ROWS, height);
      Arrays.fill(columns, 0, width, 0.0);
      for (long row = from; row < to; row++) {
        Arrays.fill(lanes, 0.0);
        for (int at = 0; at < width; at += TILE) {
          int n = Math.min(TILE, width - at);
          codec.decode(call.array(0), row * length + start + at, n, g);
          for (int run = 0; run < n; run += PlanSpec.LANES) {
            int m = Math.min(PlanSpec.LANES, n - run);
            for (int l = 0; l < m; l++) {
              double x = g[run + l];
              double q = x * x + eps;
              lanes[l] += q;
              columns[at + run + l] += q;
            }
          }
        }
        one[0] = Trees.sum(lanes, PlanSpec.LANES);
        call.array(1).putDoubles(row * chunks + chunk, one, 1);
      }
      call.array(2).putDoubles((matrix * blocks + block) * length + start, columns, width);
    }
  }

  private static void factors(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      rowFactors(call, unit);
      columnFactors(call, unit);
    }
  }

  private static float moved(JavaCall call, float state, double mean) {
    return (float) (call.number(0) * (double) state + call.number(1) * mean);
  }

  private static void rowFactors(JavaCall call, long unit) {
    int height = Math.toIntExact(call.integer(0));
    long length = call.integer(1);
    int chunks = Math.toIntExact(unitsOf(length, CHUNK));
    Runs runs = new Runs();
    float[] state = new float[height];
    runs.read(call.array(2), unit * height, state, height);
    double[] means = new double[height];
    double[] sums = new double[chunks];
    for (int i = 0; i < height; i++) {
      readDoubles(call.array(0), (unit * height + i) * chunks, sums, chunks);
      state[i] = moved(call, state[i], Trees.sum(sums, chunks) / (double) length);
      means[i] = state[i];
    }
    runs.write(call.array(2), unit * height, state, height);
    double mean = Trees.sum(means, height) / (double) height;
    for (int i = 0; i < height; i++) {
      state[i] = (float) Math.sqrt(mean / (double) state[i]);
    }
    runs.write(call.array(4), unit * height, state, height);
  }

  private static void columnFactors(JavaCall call, long unit) {
    long height = call.integer(0);
    long length = call.integer(1);
    int blocks = Math.toIntExact(unitsOf(height, BLOCK_ROWS));
    double[][] sums = new double[blocks][CHUNK];
    float[] state = new float[CHUNK];
    for (long at = 0; at < length; at += CHUNK) {
      int n = (int) Math.min(CHUNK, length - at);
      for (int block = 0; block < blocks; block++) {
        call.array(1).getDoubles((unit * blocks + block) * length + at, sums[block], n);
      }
      addByHalving(sums, n);
      call.array(3).getFloats(unit * length + at, state, n);
      for (int k = 0; k < n; k++) {
        state[k] = moved(call, state[k], sums[0][k] / (double) height);
      }
      call.array(3).putFloats(unit * length + at, state, n);
      for (int k = 0; k < n; k++) {
        state[k] = (float) (1.0 / Math.sqrt((double) state[k]));
      }
      call.array(5).putFloats(unit * length + at, state, n);
    }
  }

  private static void addByHalving(double[][] sums, int n) {
    int count = sums.length;
    int half = 1;
    while (half < count) {
      half *= 2;
    }
    for (half /= 2; half > 0; half /= 2) {
      for (int i = 0; i < half && i + half < count; i++) {
        for (int k = 0; k < n; k++) {
          sums[i][k] += sums[i + half][k];
        }
      }
      count = Math.min(count, half);
    }
  }

  private static void readDoubles(Windows from, long first, double[] to, int n) {
    if (n <= CHUNK) {
      from.getDoubles(first, to, n);
      return;
    }
    double[] piece = new double[CHUNK];
    for (int at = 0; at < n; at += CHUNK) {
      int m = Math.min(CHUNK, n - at);
      from.getDoubles(first + at, piece, m);
      System.arraycopy(piece, 0, to, at, m);
    }
  }

  private static void squares(JavaCall call, long first, long last) {
    Direction direction = new Direction(call);
    double[] lanes = new double[PlanSpec.LANES];
    double[] one = new double[1];
    for (long unit = first; unit < last; unit++) {
      Arrays.fill(lanes, 0.0);
      long end = Math.min((unit + 1) * CHUNK, call.integer(0));
      for (long at = unit * CHUNK; at < end; at += TILE) {
        int n = (int) Math.min(TILE, end - at);
        direction.read(at, n);
        for (int i = 0; i < n; i++) {
          lanes[i % PlanSpec.LANES] += (double) direction.u[i] * direction.u[i];
        }
      }
      one[0] = Trees.sum(lanes, PlanSpec.LANES);
      call.array(4).putDoubles(unit, one, 1);
    }
  }

  private static void apply(JavaCall call, long first, long last) {
    Direction direction = new Direction(call);
    TileCodec codec = new TileCodec();
    float[] p = new float[TILE];
    float[] m = new float[TILE];
    float scale = (float) call.number(3);
    float decay = (float) call.number(4);
    float beta1 = (float) call.number(5);
    float oneMinusBeta1 = (float) call.number(6);
    float[] u = direction.u;
    long end = Math.min(last * CHUNK, call.integer(0));
    for (long at = first * CHUNK; at < end; at += TILE) {
      int n = (int) Math.min(TILE, end - at);
      direction.read(at, n);
      codec.decode(call.array(4), at, n, p);
      if (call.array(5) == null) {
        for (int i = 0; i < n; i++) {
          p[i] = fma(-scale, u[i], p[i] * decay);
        }
      } else {
        call.array(5).getFloats(at, m, n);
        for (int i = 0; i < n; i++) {
          m[i] = movingAverage(m[i], scale * u[i], beta1, oneMinusBeta1);
          p[i] = p[i] * decay - m[i];
        }
        call.array(5).putFloats(at, m, n);
      }
      codec.encode(call.array(4), at, n, p);
      if (call.array(3) != null) {
        call.array(3).putFloats(at, direction.second, n);
      }
    }
  }

  /** u of a tile, and the new v where there is one. */
  private static final class Direction {
    private final JavaCall call;
    private final TileCodec codec = new TileCodec();
    private final Runs runs = new Runs();
    private final float[] g = new float[TILE];
    private final float[] factor = new float[TILE];
    final float[] u = new float[TILE];
    final float[] second = new float[TILE];

    Direction(JavaCall call) {
      this.call = call;
    }

    void read(long first, int n) {
      codec.decode(call.array(0), first, n, g);
      if (call.array(3) != null) {
        whole(first, n);
        return;
      }
      long columns = call.integer(2);
      for (int at = 0; at < n; ) {
        long row = (first + at) / columns;
        long column = (first + at) % columns;
        int count = (int) Math.min(n - at, columns - column);
        call.array(2).getFloats(row / call.integer(1) * columns + column, factor, count);
        float rowFactor = runs.one(call.array(1), row);
        for (int i = 0; i < count; i++) {
          u[at + i] = (g[at + i] * rowFactor) * factor[i];
        }
        at += count;
      }
    }

    private void whole(long first, int n) {
      float eps = (float) call.number(0);
      float keep = (float) call.number(1);
      float take = (float) call.number(2);
      call.array(3).getFloats(first, second, n);
      for (int i = 0; i < n; i++) {
        second[i] = movingAverage(second[i], fma(g[i], g[i], eps), keep, take);
        u[i] = g[i] / root(second[i]);
      }
    }
  }
}
