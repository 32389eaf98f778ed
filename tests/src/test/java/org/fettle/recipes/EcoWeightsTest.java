package org.fettle.recipes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

class EcoWeightsTest {
  private static final int ROWS = 4;
  private static final int COLUMNS = 77;
  private static final int N = ROWS * COLUMNS;

  private static float[] normal(int seed) {
    Random random = new Random(seed);
    float[] values = new float[N];
    for (int i = 0; i < N; i++) {
      values[i] = (float) (random.nextGaussian() * (i % COLUMNS == 5 ? 20 : 1));
    }
    return values;
  }

  private static EcoWeights.Options options(double weightDecay, boolean stochastic) {
    return new EcoWeights.Options(
        EcoWeights.Optimizer.SGDM, 0.9, 0.999, 0, weightDecay, false, stochastic, 5, 1);
  }

  /** A scale for every element. */
  private static double[] scales(Workbench bench, EcoWeights weights, EcoWeights.Format format) {
    double[] scales = bench.doubles(weights.scales());
    double[] all = new double[N];
    for (int i = 0; i < N; i++) {
      int row = i / COLUMNS;
      all[i] = scales[format == EcoWeights.Format.FP8 ? row : row * 3 + i % COLUMNS / 32];
    }
    return all;
  }

  /** What codes and scales stand for, exactly. */
  private static double[] exact(Workbench bench, EcoWeights weights, EcoWeights.Format format) {
    byte[] codes = bench.bytes(weights.codes());
    double[] scales = scales(bench, weights, format);
    double[] values = new double[N];
    for (int i = 0; i < N; i++) {
      int row = i / COLUMNS;
      int column = i % COLUMNS;
      if (format == EcoWeights.Format.FP8) {
        int code = codes[i] & 0xFF;
        int exponent = code >> 3 & 15;
        double mantissa = (exponent == 0 ? 0 : 8) + (code & 7);
        double magnitude = mantissa * Math.pow(2, Math.max(exponent, 1) - 10);
        values[i] = (code >= 128 ? -magnitude : magnitude) * scales[i];
      } else {
        int code = codes[row * 39 + column / 2] >> (column % 2 * 4) & 15;
        values[i] = ((code ^ 8) - 8) * scales[i];
      }
    }
    return values;
  }

  /**
   * However small a step is, its error is what the codes miss, as exactly as floats can say by how
   * much the weight and its scale change. A difference of float weights would have no digit right
   * at a learning rate of 1e-6.
   */
  @Test
  void theErrorIsWhatTheCodesMiss() {
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      for (EcoWeights.Format format : EcoWeights.Format.values()) {
        for (double rate : new double[] {1e-6, 1e-3, 0.3}) {
          for (double decay : new double[] {0, 0.01}) {
            check(backend.name(), format, rate, decay, false);
            check(backend.name(), format, rate, decay, true);
          }
        }
      }
    }
  }

  private static void check(
      String backend, EcoWeights.Format format, double rate, double decay, boolean stochastic) {
    try (Workbench bench = new Workbench(backend)) {
      Tensor error = bench.tensor(DType.F32, ROWS, COLUMNS);
      try (EcoWeights weights =
          new EcoWeights(
              bench.backend(),
              bench.tensor(normal(1), ROWS, COLUMNS),
              format,
              options(decay, stochastic))) {
        for (int step = 0; step < 3; step++) {
          float[] gradient = normal(2 + step);
          double[] oldScales = scales(bench, weights, format);
          double[] old = exact(bench, weights, format);
          float[] momentum = bench.floats(weights.momentum());
          weights.step(bench.tensor(gradient, ROWS, COLUMNS), rate, error);
          double[] newScales = scales(bench, weights, format);
          double[] now = exact(bench, weights, format);
          float[] errors = bench.floats(error);
          float[] injected = bench.floats(weights.momentum());
          for (int i = 0; i < N; i++) {
            double m = 0.9 * momentum[i] + 0.1 * gradient[i];
            double size = 0.9 * Math.abs(momentum[i]) + 0.1 * Math.abs(gradient[i]);
            double missed = (1 - rate * decay) * old[i] - rate * m - now[i];
            double rescaled = Math.abs(old[i] * (oldScales[i] / newScales[i] - 1));
            double moved = rate * size + rescaled + Math.abs(old[i] - now[i]);
            assertEquals(missed, errors[i], 4e-7 * (Math.abs(missed) + moved), "error " + i);
            double share = (1 - 1 / 0.9) / rate;
            double expected = m + share * missed;
            double limit = 1e-6 * (size + Math.abs(share) * (Math.abs(missed) + moved));
            assertEquals(expected, injected[i], limit, "momentum " + i);
          }
        }
      }
    }
  }

  /** Weights that nothing moves keep their codes, in steps as well as on the way through floats. */
  @Test
  void whatStandsStillStays() {
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      for (EcoWeights.Format format : EcoWeights.Format.values()) {
        try (Workbench bench = new Workbench(backend.name())) {
          Tensor weight = bench.tensor(normal(9), ROWS, COLUMNS);
          Tensor zero = bench.tensor(new float[N], ROWS, COLUMNS);
          try (EcoWeights weights =
              new EcoWeights(bench.backend(), weight, format, options(0, false))) {
            byte[] codes = bench.bytes(weights.codes());
            double[] scales = bench.doubles(weights.scales());
            for (int step = 0; step < 20; step++) {
              weights.step(zero, 1e-3, null);
            }
            assertArrayEquals(codes, bench.bytes(weights.codes()));
            double[] after = bench.doubles(weights.scales());
            for (int k = 0; k < scales.length; k++) {
              assertEquals(scales[k], after[k], 1e-13 * scales[k]);
            }
            weights.decode(weight);
            weights.start(weight);
            assertArrayEquals(codes, bench.bytes(weights.codes()));
          }
        }
      }
    }
  }
}
