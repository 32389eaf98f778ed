package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.Transcendental;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Proximal operators and penalties: twins of {@code native/src/kernels/sparse/penalties.h}. */
public final class PenaltyKernels {
  /** A proximal operator, elementwise. */
  public static final Kernel PROXIMAL = new Kernel("proximal", PenaltyKernels::proximal);

  /** The proximal operator of a group's length. */
  public static final Kernel PROXIMAL_GROUP =
      new Kernel("proximal_group", PenaltyKernels::proximalGroup);

  /** A step with decay by relevance. */
  public static final Kernel RELEVANCE_DECAY =
      new Kernel("relevance_decay", PenaltyKernels::relevanceDecay);

  /** Sums over scales. */
  public static final Kernel POLARIZATION_SUMS =
      new Kernel("polarization_sums", PenaltyKernels::polarizationSums);

  /** The gradient of polarization. */
  public static final Kernel POLARIZATION_GRADIENT =
      new Kernel("polarization_gradient", PenaltyKernels::polarizationGradient);

  /** Hard gates and their means. */
  public static final Kernel GATE_CONSENSUS =
      new Kernel("gate_consensus", PenaltyKernels::gateConsensus);

  /** Values clamped to [0, 1]. */
  public static final Kernel CLAMP_SCALES = new Kernel("clamp_scales", PenaltyKernels::clampScales);

  private static final int UNIT = ScoreKernels.UNIT;

  private PenaltyKernels() {}

  private static double sign(double x) {
    return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : x;
  }

  private static double soft(double x, double threshold) {
    return Math.abs(x) <= threshold ? 0.0 : x - sign(x) * threshold;
  }

  private static double proximalOf(long kind, double x, double step, double lambda, double shape) {
    double magnitude = Math.abs(x);
    if (kind == 0) {
      return soft(x, step * lambda);
    }
    if (kind == 1) {
      if (magnitude <= (1.0 + step) * lambda) {
        return soft(x, step * lambda);
      }
      if (magnitude <= shape * lambda) {
        return ((shape - 1.0) * x - step * shape * lambda * sign(x)) / (shape - 1.0 - step);
      }
      return x;
    }
    if (kind == 2) {
      return magnitude <= shape * lambda ? soft(x, step * lambda) / (1.0 - step / shape) : x;
    }
    return x * x <= 2.0 * step * lambda ? 0.0 : x;
  }

  private static float[] floats(JavaCall call, int index, long unit) {
    long at = unit * UNIT;
    return Copies.floats(call.array(index), at, Math.min(UNIT, call.integer(0) - at));
  }

  private static void proximal(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      float[] x = floats(call, 0, unit);
      for (int i = 0; i < x.length; i++) {
        x[i] =
            (float)
                proximalOf(call.integer(1), x[i], call.number(0), call.number(1), call.number(2));
      }
      Copies.put(call.array(1), unit * UNIT, x);
    }
  }

  private static void proximalGroup(JavaCall call, long first, long last) {
    long size = call.integer(0);
    for (long unit = first; unit < last; unit++) {
      float[] x = Copies.floats(call.array(0), unit * size, size);
      LaneSum squares = new LaneSum();
      for (float one : x) {
        squares.add((double) one * one);
      }
      double length = Math.sqrt(squares.total());
      double factor = length <= call.number(0) ? 0.0 : 1.0 - call.number(0) / length;
      for (int i = 0; i < x.length; i++) {
        x[i] = factor == 0.0 ? 0f : (float) (x[i] * factor);
      }
      Copies.put(call.array(1), unit * size, x);
    }
  }

  private static void relevanceDecay(JavaCall call, long first, long last) {
    float lr = (float) call.number(0);
    float lambda = (float) call.number(1);
    for (long unit = first; unit < last; unit++) {
      float[] w = floats(call, 0, unit);
      float[] g = floats(call, 1, unit);
      for (int i = 0; i < w.length; i++) {
        float relevance = Transcendental.expNegative(-(g[i] * g[i]));
        w[i] = Arithmetic.fma(-lr, Arithmetic.fma(lambda * w[i], relevance, g[i]), w[i]);
      }
      Copies.put(call.array(0), unit * UNIT, w);
    }
  }

  private static void polarizationSums(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      LaneSum[] sums = {new LaneSum(), new LaneSum(), new LaneSum(), new LaneSum()};
      for (double g : floats(call, 0, unit)) {
        double apart = g - call.number(0);
        sums[0].add(g);
        sums[1].add(g < 0.0 ? -g : g);
        sums[2].add(apart < 0.0 ? -apart : apart);
        sums[3].add(sign(apart));
      }
      double[] totals = new double[4];
      for (int k = 0; k < 4; k++) {
        totals[k] = sums[k].total();
      }
      call.array(1).putDoubles(4 * unit, totals, 4);
    }
  }

  private static void polarizationGradient(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      float[] x = floats(call, 0, unit);
      float[] out = call.integer(1) != 0 ? floats(call, 1, unit) : new float[x.length];
      for (int i = 0; i < x.length; i++) {
        double g = x[i];
        double slope = call.number(2) * sign(g) - sign(g - call.number(0)) + call.number(3);
        float gradient = (float) (call.number(1) * slope);
        out[i] = call.integer(1) != 0 ? out[i] + gradient : gradient;
      }
      Copies.put(call.array(1), unit * UNIT, out);
    }
  }

  private static void clampScales(JavaCall call, long first, long last) {
    for (long unit = first; unit < last; unit++) {
      float[] x = floats(call, 0, unit);
      for (int i = 0; i < x.length; i++) {
        x[i] = x[i] > 1f ? 1f : x[i] < 0f ? 0f : x[i];
      }
      Copies.put(call.array(0), unit * UNIT, x);
    }
  }

  private static void gateConsensus(JavaCall call, long first, long last) {
    long batch = call.integer(0);
    long columns = call.integer(1);
    float[] gate = new float[8];
    byte[] hard = new byte[8];
    for (long unit = first; unit < last; unit++) {
      int n = (int) Math.min(8, columns - 8 * unit);
      int[] open = new int[8];
      for (long i = 0; i < batch; i++) {
        call.array(0).getFloats(i * columns + 8 * unit, gate, n);
        for (int j = 0; j < n; j++) {
          hard[j] = (byte) (gate[j] > call.number(0) ? 1 : 0);
          open[j] += hard[j];
        }
        if (call.array(1) != null) {
          call.array(1).putBytes(i * columns + 8 * unit, hard, n);
        }
      }
      int kept = 0;
      double[] means = new double[8];
      float[] gradients = new float[8];
      for (int j = 0; j < n; j++) {
        means[j] = (double) open[j] / (double) batch;
        kept |= (means[j] > 0.5 ? 1 : 0) << j;
        gradients[j] = (float) ((1.0 - 2.0 * means[j]) / ((double) columns * (double) batch));
      }
      call.array(2).putDoubles(8 * unit, means, n);
      call.array(3).putBytes(unit, new byte[] {(byte) kept}, 1);
      for (long i = 0; call.array(4) != null && i < batch; i++) {
        call.array(4).putFloats(i * columns + 8 * unit, gradients, n);
      }
    }
  }
}
