package org.fettle.recipes;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

class SelectiveAggregationTest {
  private static float[] normal(int n, int seed) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static double cosine(float[] u, float[] h, int mask) {
    double product = 0.0;
    double square = 0.0;
    double length = 0.0;
    for (int i = 0; i < u.length; i++) {
      length += (double) h[i] * h[i];
      if ((mask >> i & 1) != 0) {
        product += (double) u[i] * h[i];
        square += (double) u[i] * u[i];
      }
    }
    return square == 0.0 ? 0.0 : product / Math.sqrt(square * length);
  }

  @Test
  void noOtherMaskIsNearerToTheReference() {
    try (Workbench bench = new Workbench("java")) {
      for (int seed = 0; seed < 40; seed++) {
        int n = 1 + seed % 11;
        float[] u = normal(n, seed);
        float[] h = normal(n, 1000 + seed);
        Tensor mask = bench.tensor(DType.BIT, n);
        double found =
            SelectiveAggregation.select(
                bench.backend(), bench.tensor(u, n), bench.tensor(h, n), mask);
        double best = 0.0;
        for (int other = 0; other < 1 << n; other++) {
          best = Math.max(best, cosine(u, h, other));
        }
        int chosen = 0;
        double[] bits = bench.bits(mask);
        for (int i = 0; i < n; i++) {
          chosen |= bits[i] != 0 ? 1 << i : 0;
        }
        assertEquals(best, found, 1e-6, "seed " + seed);
        assertEquals(found, cosine(u, h, chosen), 1e-12, "seed " + seed);
      }
    }
  }

  @Test
  void whatAgreesInNothingIsNotSelected() {
    try (Workbench bench = new Workbench("java")) {
      Tensor mask = bench.tensor(DType.BIT, 3);
      double cosine =
          SelectiveAggregation.select(
              bench.backend(),
              bench.tensor(new float[] {1f, 0f, -2f}, 3),
              bench.tensor(new float[] {-1f, 5f, 3f}, 3),
              mask);
      assertEquals(0.0, cosine);
      assertArrayEquals(new double[3], bench.bits(mask));
    }
  }

  @Test
  void onlyWhatIsSelectedIsAveraged() {
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      try (Workbench bench = new Workbench(backend.name())) {
        float[] a = {1f, 2f, Float.NaN, 4f, 5f};
        float[] b = {3f, Float.POSITIVE_INFINITY, 7f, 8f, -1f};
        Tensor first = bench.mask(new double[] {1, 1, 0, 0, 1}, 5);
        Tensor second = bench.mask(new double[] {1, 0, 1, 0, 1}, 5);
        Tensor out = bench.tensor(DType.F32, 5);
        SelectiveAggregation.average(
            bench.backend(),
            List.of(bench.tensor(a, 5), bench.tensor(b, 5)),
            List.of(first, second),
            List.of(1.0, 3.0),
            out);
        assertArrayEquals(new float[] {2.5f, 2f, 7f, 0f, 0.5f}, bench.floats(out), backend.name());
      }
    }
  }

  @Test
  void whatDoesNotFitIsRefusedByName() {
    try (Workbench bench = new Workbench("java")) {
      Backend on = bench.backend();
      Tensor x = bench.tensor(new float[] {1f, 2f}, 2);
      Tensor nan = bench.tensor(new float[] {1f, Float.NaN}, 2);
      Tensor mask = bench.mask(new double[] {1, 1}, 2);
      Tensor longer = bench.tensor(DType.F32, 3);
      refused("reference is ", () -> SelectiveAggregation.select(on, x, longer, mask));
      refused("update is ", () -> SelectiveAggregation.select(on, nan, x, mask));
      assertArrayEquals(new double[] {1, 1}, bench.bits(mask), "the mask was written");
      refused("mask is ", () -> SelectiveAggregation.select(on, x, x, x));
      Tensor out = bench.tensor(new float[] {5f, 6f}, 2);
      refused(
          "number of updates is 0",
          () -> SelectiveAggregation.average(on, List.of(), List.of(), List.of(), out));
      refused(
          "number of masks is 0",
          () -> SelectiveAggregation.average(on, List.of(x), List.of(), List.of(1.0), out));
      refused(
          "coefficient 0 is 0",
          () -> SelectiveAggregation.average(on, List.of(x), List.of(mask), List.of(0.0), out));
      refused(
          "update 0 is ",
          () ->
              SelectiveAggregation.average(on, List.of(longer), List.of(mask), List.of(1.0), out));
      assertArrayEquals(new float[] {5f, 6f}, bench.floats(out), "the output was written");
    }
  }

  private static void refused(String start, Runnable call) {
    String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(message.startsWith(start), message);
  }
}
