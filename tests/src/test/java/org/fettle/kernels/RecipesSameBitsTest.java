package org.fettle.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engines;
import org.fettle.internal.Scratch;
import org.fettle.recipes.Binarization;
import org.fettle.recipes.Biper;
import org.fettle.recipes.CompressedCommunication;
import org.fettle.recipes.EcoWeights;
import org.fettle.recipes.LearnedStep;
import org.fettle.recipes.Reste;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/** Estimators, compression and ECO give the same bits on java and cpu. */
class RecipesSameBitsTest {
  private static final int[] SIZES = {0, 1, 7, 511, 513, 4095, 4097, 10000};

  private static float[] values(int n) {
    Random random = new Random(n);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    float[] special = {0f, -0f, 1e-40f, 3e38f, -3e38f, 1e12f, Float.NaN, Float.NEGATIVE_INFINITY};
    for (int i = 0; i < special.length && 20 * i + 5 < n; i++) {
      values[20 * i + 5] = special[i];
    }
    return values;
  }

  private static List<int[]> estimators(String backend, int n) {
    List<int[]> results = new ArrayList<>();
    try (Workbench bench = new Workbench(backend)) {
      Backend on = bench.backend();
      Tensor x = bench.tensor(values(n), n);
      Tensor g = bench.tensor(values(n), n);
      Tensor step = bench.tensor(new float[] {0.3f}, 1);
      Tensor out = bench.tensor(DType.F32, n);
      LearnedStep lsq = new LearnedStep(-8, 7);
      lsq.forward(on, x, step, 0.1, out);
      results.add(bits(bench.floats(out)));
      double sum = lsq.backward(on, x, g, step, 0.1, 0.5, out).step().get(0);
      results.add(new int[] {Double.hashCode(sum)});
      results.add(bits(bench.floats(out)));
      Reste.of(1.8).backward(on, x, g, out);
      results.add(bits(bench.floats(out)));
      Reste.of(1.8).power(on, x, out);
      results.add(bits(bench.floats(out)));
      Biper biper = new Biper(20, 1);
      biper.weight(on, x, out);
      results.add(bits(bench.floats(out)));
      biper.weightGradient(on, x, g, out);
      results.add(bits(bench.floats(out)));
      Binarization.stochasticSign(on, x, 7, 3, 2, out);
      results.add(bits(bench.floats(out)));
      Tensor codes = bench.tensor(DType.I8, n);
      Tensor scales = bench.tensor(DType.F32, (n + 63) / 64);
      CompressedCommunication.encodeBlocks(on, x, g, 64, codes, scales);
      results.add(bits(bench.floats(scales)));
      results.add(bits(bench.floats(g)));
      Tensor indices = bench.tensor(DType.I32, n / 3);
      Tensor largest = bench.tensor(DType.F32, n / 3);
      CompressedCommunication.encodeLargest(on, x, bench.tensor(DType.F32, n), indices, largest);
      results.add(Scratch.ints(Engines.named(backend), indices));
    }
    return results;
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      // Every NaN is one: which of two comes out is the processor's affair.
      bits[i] = Float.floatToIntBits(values[i]);
    }
    return bits;
  }

  private static List<int[]> eco(
      String backend, EcoWeights.Options options, EcoWeights.Format format, int rows, int columns) {
    List<int[]> results = new ArrayList<>();
    try (Workbench bench = new Workbench(backend)) {
      float[] start = new float[rows * columns];
      Random random = new Random(3);
      for (int i = 0; i < start.length; i++) {
        // The first row stays zero, and with it its scale.
        start[i] = i < columns ? 0f : (float) random.nextGaussian();
      }
      float[] gradient = start.clone();
      if (rows > 3) {
        gradient[3 * columns] = Float.POSITIVE_INFINITY;
      }
      Tensor weight = bench.tensor(start, rows, columns);
      Tensor gradients = bench.tensor(gradient, rows, columns);
      Tensor error = bench.tensor(DType.F32, rows, columns);
      try (EcoWeights eco = new EcoWeights(bench.backend(), weight, format, options)) {
        for (int step = 0; step < 4; step++) {
          eco.step(step == 1 ? gradients : weight, 0.01, step == 2 ? error : null);
        }
        eco.decode(weight);
        results.add(bits(bench.floats(weight)));
        results.add(bits(Scratch.floats(Engines.named(backend), eco.momentum())));
        results.add(bits(bench.floats(error)));
      }
    }
    return results;
  }

  private static void assertSame(List<int[]> expected, List<int[]> actual, String what) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), what + ", result " + i);
    }
  }

  @Test
  void javaAndCpuAgree() {
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      for (int n : SIZES) {
        assertSame(estimators("java", n), estimators(backend.name(), n), backend.name() + " " + n);
      }
    }
  }

  @Test
  void ecoAgrees() {
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      for (EcoWeights.Format format : EcoWeights.Format.values()) {
        for (EcoWeights.Optimizer optimizer : EcoWeights.Optimizer.values()) {
          for (boolean stochastic : new boolean[] {false, true}) {
            for (int columns : new int[] {1, 7, 32, 77, 511, 512, 513, 4097, 10000}) {
              EcoWeights.Options options =
                  new EcoWeights.Options(
                      optimizer, 0.9, 0.999, 1e-8, 0.01, true, stochastic, 77, 3);
              int rows = columns > 4096 ? 2 : 5;
              assertSame(
                  eco("java", options, format, rows, columns),
                  eco(backend.name(), options, format, rows, columns),
                  backend.name() + " " + format + " " + options + " " + columns);
            }
          }
        }
      }
    }
  }

  @Test
  void whatDoesNotFitIsRefusedByName() {
    try (Workbench bench = new Workbench("java")) {
      Tensor x = bench.tensor(DType.F32, 4, 4);
      Tensor step = bench.tensor(DType.F32, 3);
      Tensor y = bench.tensor(DType.F32, 4, 4);
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> new LearnedStep(-8, 7).forward(bench.backend(), x, step, y))
              .getMessage();
      assertEquals(true, message.startsWith("step is "), message);
      assertThrows(IllegalArgumentException.class, () -> new LearnedStep(3, 3));
      assertThrows(IllegalArgumentException.class, () -> new Biper(0, 1));
    }
  }
}
