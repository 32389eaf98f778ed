package org.fettle.internal.kernels;

import org.fettle.DType;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Scores of structures, saliency scores: twins of {@code native/src/kernels/sparse/scores.h}. */
public final class ScoreKernels {
  /** Elements of a unit of the kernels over elements. */
  public static final int UNIT = 4096;

  /** Columns of a unit of {@link #FLOW_BACKWARD}. */
  public static final int FLOW_COLUMNS = 64;

  /** One score per index of a middle axis. */
  public static final Kernel GROUPS = new Kernel("score_groups", ScoreKernels::groups);

  /** One score per tile. */
  public static final Kernel BLOCKS = new Kernel("score_blocks", ScoreKernels::blocks);

  /** Sums of products. */
  public static final Kernel PRODUCTS = new Kernel("saliency_products", ScoreKernels::products);

  /** Products over their sum. */
  public static final Kernel SCALE = new Kernel("saliency_scale", ScoreKernels::scale);

  /** |W| times a vector. */
  public static final Kernel FLOW_FORWARD = new Kernel("flow_forward", ScoreKernels::forward);

  /** A vector times |W|. */
  public static final Kernel FLOW_BACKWARD = new Kernel("flow_backward", ScoreKernels::backward);

  /** The flow through every weight. */
  public static final Kernel FLOW_SCORES = new Kernel("flow_scores", ScoreKernels::flowScores);

  private ScoreKernels() {}

  private static double term(long kind, double x, double g) {
    return kind == 0 ? (x < 0.0 ? -x : x) : kind == 1 ? x * x : x * g;
  }

  private static void store(JavaCall call, long at, long finish, double sum) {
    double score = finish == 1 ? Math.sqrt(sum) : finish == 2 ? (sum < 0.0 ? -sum : sum) : sum;
    if (call.array(2).dtype() == DType.F64) {
      call.array(2).putDoubles(at, new double[] {score}, 1);
    } else {
      call.array(2).putFloats(at, new float[] {(float) score}, 1);
    }
  }

  private static void groups(JavaCall call, long first, long last) {
    long middle = call.integer(1);
    long inner = call.integer(2);
    for (long unit = first; unit < last; unit++) {
      LaneSum sum = new LaneSum();
      for (long o = 0; o < call.integer(0); o++) {
        long at = (o * middle + unit) * inner;
        float[] x = Copies.floats(call.array(0), at, inner);
        float[] g = call.array(1) == null ? x : Copies.floats(call.array(1), at, inner);
        for (int i = 0; i < x.length; i++) {
          sum.add(term(call.integer(3), x[i], g[i]));
        }
      }
      store(call, unit, call.integer(4), sum.total());
    }
  }

  private static void blocks(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    long columns = call.integer(1);
    long b = call.integer(2);
    long across = (columns + b - 1) / b;
    for (long unit = first; unit < last; unit++) {
      long row = unit / across * b;
      long column = unit % across * b;
      LaneSum sum = new LaneSum();
      for (long i = row; i < Math.min(row + b, rows); i++) {
        for (float x :
            Copies.floats(call.array(0), i * columns + column, Math.min(b, columns - column))) {
          sum.add(term(call.integer(3), x, x));
        }
      }
      store(call, unit, call.integer(4), sum.total());
    }
  }

  private static double[] productsOf(JavaCall call, long unit) {
    long at = unit * UNIT;
    long n = Math.min(UNIT, call.integer(0) - at);
    float[] w = Copies.floats(call.array(0), at, n);
    float[] g = Copies.floats(call.array(1), at, n);
    double[] products = new double[w.length];
    for (int i = 0; i < w.length; i++) {
      double product = (double) w[i] * g[i];
      products[i] = call.integer(1) != 0 && product < 0.0 ? -product : product;
    }
    return products;
  }

  private static void products(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      LaneSum sum = new LaneSum();
      for (double product : productsOf(call, unit)) {
        sum.add(product);
      }
      call.array(2).putDoubles(unit, new double[] {sum.total()}, 1);
    }
  }

  private static void scale(JavaCall call, long first, long last) {
    double by = call.number(0);
    for (long unit = first; unit < last; unit++) {
      double[] products = productsOf(call, unit);
      float[] out = new float[products.length];
      for (int i = 0; i < out.length; i++) {
        out[i] = by == 0.0 ? 0f : (float) (products[i] / by);
      }
      Copies.put(call.array(2), unit * UNIT, out);
    }
  }

  private static void forward(JavaCall call, long first, long last) {
    long columns = call.integer(1);
    double[] flow = Copies.doubles(call.array(1), 0, columns);
    for (long row = first; row < last; row++) {
      float[] w = Copies.floats(call.array(0), row * columns, columns);
      LaneSum sum = new LaneSum();
      for (int j = 0; j < w.length; j++) {
        sum.add((double) Math.abs(w[j]) * flow[j]);
      }
      call.array(2).putDoubles(row, new double[] {sum.total()}, 1);
    }
  }

  private static void backward(JavaCall call, long first, long last) {
    long columns = call.integer(1);
    double[] flow = Copies.doubles(call.array(1), 0, call.integer(0));
    for (long unit = first; unit < last; unit++) {
      long at = unit * FLOW_COLUMNS;
      double[] sums = new double[(int) Math.min(FLOW_COLUMNS, columns - at)];
      for (int i = 0; i < flow.length; i++) {
        float[] w = Copies.floats(call.array(0), i * columns + at, sums.length);
        for (int j = 0; j < sums.length; j++) {
          sums[j] += (double) Math.abs(w[j]) * flow[i];
        }
      }
      Copies.put(call.array(2), at, sums);
    }
  }

  private static void flowScores(JavaCall call, long first, long last) {
    long columns = call.integer(1);
    double[] above = Copies.doubles(call.array(1), 0, call.integer(0));
    double[] below = Copies.doubles(call.array(2), 0, columns);
    for (long row = first; row < last; row++) {
      float[] w = Copies.floats(call.array(0), row * columns, columns);
      for (int j = 0; j < w.length; j++) {
        w[j] = (float) ((double) Math.abs(w[j]) * above[(int) row] * below[j] * call.number(0));
      }
      Copies.put(call.array(3), row * columns, w);
    }
  }
}
