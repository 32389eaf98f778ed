package org.fettle.internal.kernels;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;
import static org.fettle.Arithmetic.sign;

import java.util.Arrays;
import org.fettle.Transcendental;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Windows;

/** Passes of steps: twins of {@code native/src/kernels/steps}, where the formulas stand. */
public final class StepKernels {
  /** Elements of a chunk. */
  public static final int CHUNK = 4096;

  /**
   * A weighted sum of rows, one unit per chunk. Arrays: out, rows, subtracted, noise, kept (all
   * F32; the last three may be null), weights (F64). Integers: rows, their length. Numbers: scale,
   * scale of the noise, scale of what is kept.
   */
  public static final Kernel COMBINE_ROWS = new Kernel("combine_rows", StepKernels::combineRows);

  /**
   * Weight normalisation, one unit per index of the axis. Arrays: v, gamma (may be null), dw (null
   * forward), output, dgamma (may be null), norms (F64). Integers: outer, axis, inner, mode (0
   * forward, 1 backward, 2 backward with the norm frozen).
   */
  public static final Kernel AXIS_NORM = new Kernel("axis_norm", StepKernels::axisNorm);

  /**
   * FRUGAL, one unit per chunk. Arrays: p, g, m, v (F32), place (I32); the last three are null for
   * nothing. Integers: elements, columns, selected, selection (0 nothing, 1 columns, 2 rows, 3
   * elements), rule (0 none, 1 sign, 2 identity). Numbers: decay, beta1, 1 - beta1, beta2, 1 -
   * beta2, -a, eps, -b.
   */
  public static final Kernel FRUGAL = new Kernel("frugal", StepKernels::frugal);

  /**
   * SAF's loss, one unit per row. Arrays: logits, past, gradient (may be null), losses (F64).
   * Integers: classes. Numbers: temperature, factor of the gradient.
   */
  public static final Kernel SAF = new Kernel("saf", StepKernels::saf);

  /**
   * Every q-th element, one unit per chunk of the output. Arrays: to, from. Integers: elements, q,
   * bytes of an element (2 or 4).
   */
  public static final Kernel SLICES = new Kernel("slices", StepKernels::slices);

  private StepKernels() {}

  private static void combineRows(JavaCall call, long first, long last) {
    long n = call.integer(1);
    Windows g = call.array(1);
    Windows h = call.array(2);
    float[] a = new float[CHUNK];
    float[] b = new float[CHUNK];
    double[] weight = new double[1];
    double[] sum = new double[CHUNK];
    for (long unit = first; unit < last; unit++) {
      long at = unit * CHUNK;
      int m = (int) Math.min(CHUNK, n - at);
      Arrays.fill(sum, 0.0);
      for (long k = 0; k < call.integer(0); k++) {
        call.array(5).getDoubles(k, weight, 1);
        g.getFloats(k * n + at, a, m);
        if (h != null) {
          h.getFloats(k * n + at, b, m);
        }
        for (int i = 0; i < m; i++) {
          double term = h != null ? (double) a[i] - (double) b[i] : (double) a[i];
          sum[i] += weight[0] * term;
        }
      }
      finish(call, at, m, sum, a, b);
    }
  }

  private static void finish(JavaCall call, long at, int m, double[] sum, float[] a, float[] b) {
    Windows noise = call.array(3);
    Windows kept = call.array(4);
    if (noise != null) {
      noise.getFloats(at, a, m);
      for (int i = 0; i < m; i++) {
        sum[i] = sum[i] + call.number(1) * (double) a[i];
      }
    }
    for (int i = 0; i < m; i++) {
      sum[i] = call.number(0) * sum[i];
    }
    if (kept != null) {
      kept.getFloats(at, a, m);
      for (int i = 0; i < m; i++) {
        sum[i] = sum[i] + call.number(2) * (double) a[i];
      }
    }
    for (int i = 0; i < m; i++) {
      b[i] = (float) sum[i];
    }
    call.array(0).putFloats(at, b, m);
  }

  private static void axisNorm(JavaCall call, long first, long last) {
    AxisNormTwin twin = new AxisNormTwin(call);
    for (long unit = first; unit < last; unit++) {
      twin.unit(unit);
    }
  }

  private static void frugal(JavaCall call, long first, long last) {
    Runs runs = new Runs();
    int selection = (int) call.integer(3);
    long width = call.integer(1);
    int[] places = new int[CHUNK];
    if (selection == 1 || selection == 2) {
      places = new int[Math.toIntExact(call.elements(4))];
      runs.read(call.array(4), 0, places, places.length);
    }
    float[] p = new float[CHUNK];
    float[] g = new float[CHUNK];
    float[] c = new float[8];
    for (int k = 0; k < 8; k++) {
      c[k] = (float) call.number(k);
    }
    for (long unit = first; unit < last; unit++) {
      long start = unit * CHUNK;
      int n = (int) Math.min(CHUNK, call.integer(0) - start);
      call.array(0).getFloats(start, p, n);
      call.array(1).getFloats(start, g, n);
      if (selection == 3) {
        call.array(4).getInts(start, places, n);
      }
      for (int k = 0; k < n; k++) {
        long i = start + k;
        long at =
            switch (selection) {
              case 1 ->
                  places[(int) (i % width)] < 0
                      ? -1
                      : i / width * call.integer(2) + places[(int) (i % width)];
              case 2 ->
                  places[(int) (i / width)] < 0
                      ? -1
                      : places[(int) (i / width)] * width + i % width;
              case 3 -> places[k];
              default -> -1;
            };
        float old = p[k] * c[0];
        if (at >= 0) {
          float m = movingAverage(runs.one(call.array(2), at), g[k], c[1], c[2]);
          float v = movingAverage(runs.one(call.array(3), at), g[k] * g[k], c[3], c[4]);
          runs.one(call.array(2), at, m);
          runs.one(call.array(3), at, v);
          p[k] = fma(c[5], m / (root(v) + c[6]), old);
        } else if (call.integer(4) == 0) {
          p[k] = old;
        } else {
          p[k] = fma(c[7], call.integer(4) == 1 ? sign(g[k]) : g[k], old);
        }
      }
      call.array(0).putFloats(start, p, n);
    }
  }

  private static void saf(JavaCall call, long first, long last) {
    Runs runs = new Runs();
    int n = Math.toIntExact(call.integer(0));
    double t = call.number(0);
    float[] z = new float[n];
    float[] old = new float[n];
    double[] loss = new double[1];
    RowSum sum = new RowSum();
    for (long unit = first; unit < last; unit++) {
      runs.read(call.array(0), unit * n, z, n);
      runs.read(call.array(1), unit * n, old, n);
      double top = top(z, n, t);
      double logSum = logSum(z, n, t, top, sum);
      double oldTop = top(old, n, t);
      double oldLogSum = logSum(old, n, t, oldTop, sum);
      for (int i = 0; i < n; i++) {
        double now = (double) z[i] / t - top - logSum;
        double before = (double) old[i] / t - oldTop - oldLogSum;
        double probability = Transcendental.exp(before);
        sum.add(probability * (before - now));
        z[i] = (float) (call.number(1) * (Transcendental.exp(now) - probability));
      }
      loss[0] = sum.finish();
      call.array(3).putDoubles(unit, loss, 1);
      if (call.array(2) != null) {
        runs.write(call.array(2), unit * n, z, n);
      }
    }
  }

  private static double top(float[] x, int n, double t) {
    double largest = (double) x[0] / t;
    for (int i = 1; i < n; i++) {
      double y = (double) x[i] / t;
      if (y > largest || Double.isNaN(y)) {
        largest = y;
      }
    }
    return largest;
  }

  private static double logSum(float[] x, int n, double t, double largest, RowSum sum) {
    for (int i = 0; i < n; i++) {
      sum.add(Transcendental.exp((double) x[i] / t - largest));
    }
    return Transcendental.log(sum.finish());
  }

  private static void slices(JavaCall call, long first, long last) {
    long every = call.integer(1);
    float[] one = new float[1];
    short[] half = new short[1];
    for (long i = first * CHUNK; i < Math.min(last * CHUNK, call.integer(0)); i++) {
      if (call.integer(2) == 4) {
        call.array(1).getFloats(i * every, one, 1);
        call.array(0).putFloats(i, one, 1);
      } else {
        call.array(1).getShorts(i * every, half, 1);
        call.array(0).putShorts(i, half, 1);
      }
    }
  }
}
