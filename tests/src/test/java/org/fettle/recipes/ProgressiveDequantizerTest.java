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

class ProgressiveDequantizerTest {
  private static final int N = 16 * 60 + 5;

  /** Neighbouring weights have to do with each other: else there is nothing to learn. */
  private static float[] weights(int seed) {
    Random random = new Random(seed);
    float[] values = new float[N];
    double phase = random.nextDouble();
    for (int i = 0; i < N; i++) {
      values[i] = (float) (Math.sin(0.35 * i + phase) + 0.05 * random.nextGaussian());
    }
    return values;
  }

  private static float[] stored(float[] values, int bits) {
    float levels = (1 << (bits - 1)) - 1;
    float[] result = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = (float) Math.rint(values[i] / 1.2f * levels) * 1.2f / levels;
    }
    return result;
  }

  private static double error(float[] a, float[] b) {
    double sum = 0.0;
    for (int i = 0; i < a.length; i++) {
      sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    }
    return sum / a.length;
  }

  @Test
  void anUntrainedChainChangesNothing() {
    try (Workbench bench = new Workbench("java")) {
      ProgressiveDequantizer chain = new ProgressiveDequantizer(List.of(2, 4, 8), 16, 32, 1);
      float[] low = stored(weights(1), 2);
      Tensor out = bench.tensor(DType.F32, N);
      chain.raise(bench.backend(), 2, 8, bench.tensor(low, N), out);
      float[] raised = bench.floats(out);
      for (int i = 0; i < N; i++) {
        assertEquals(low[i], raised[i], 2e-7f);
      }
    }
  }

  @Test
  void trainingBringsUnseenWeightsNearer() {
    try (Workbench bench = new Workbench("java")) {
      Backend on = bench.backend();
      ProgressiveDequantizer chain = new ProgressiveDequantizer(List.of(2, 4, 32), 16, 32, 1);
      Tensor two = bench.tensor(stored(weights(1), 2), N);
      Tensor four = bench.tensor(stored(weights(1), 4), N);
      Tensor whole = bench.tensor(weights(1), N);
      double before = chain.train(on, 2, two, four, null, 3e-3);
      chain.train(on, 4, four, whole, null, 3e-3);
      double after = before;
      for (int step = 0; step < 300; step++) {
        after = chain.train(on, 2, two, four, null, 3e-3);
        chain.train(on, 4, four, whole, null, 3e-3);
      }
      assertTrue(after < 0.5 * before, before + " became " + after);
      float[] unseen = weights(2);
      Tensor out = bench.tensor(DType.F32, N);
      chain.raise(on, 2, 32, bench.tensor(stored(unseen, 2), N), out);
      double raised = error(bench.floats(out), unseen);
      double given = error(stored(unseen, 2), unseen);
      assertTrue(raised < 0.5 * given, given + " became " + raised);
    }
  }

  @Test
  void anotherLossPullsToo() {
    try (Workbench bench = new Workbench("java")) {
      Backend on = bench.backend();
      ProgressiveDequantizer chain = new ProgressiveDequantizer(List.of(4, 8), 4, 4, 1);
      Tensor low = bench.tensor(new float[] {1f, -1f, 0.5f, 0f}, 4);
      Tensor up = bench.tensor(new float[] {-1f, -1f, -1f, -1f}, 4);
      Tensor out = bench.tensor(DType.F32, 4);
      // The weights are right already, so only the other gradient is there to follow.
      assertEquals(0.0, chain.train(on, 4, low, low, up, 1e-2));
      chain.raise(on, 4, 8, low, out);
      float[] raised = bench.floats(out);
      float[] given = bench.floats(low);
      for (int i = 0; i < 4; i++) {
        assertTrue(raised[i] > given[i], i + ": " + given[i] + " became " + raised[i]);
      }
    }
  }

  @Test
  void everyBackendGetsTheSameValues() {
    float[] expected = null;
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      try (Workbench bench = new Workbench(backend.name())) {
        ProgressiveDequantizer chain = new ProgressiveDequantizer(List.of(2, 4), 8, 8, 3);
        Tensor low = bench.tensor(stored(weights(3), 2), N);
        Tensor high = bench.tensor(stored(weights(3), 4), N);
        for (int step = 0; step < 5; step++) {
          chain.train(bench.backend(), 2, low, high, null, 1e-2);
        }
        chain.raise(bench.backend(), 2, 4, low, low);
        float[] raised = bench.floats(low);
        expected = expected == null ? raised : expected;
        assertArrayEquals(expected, raised, backend.name());
      }
    }
  }

  @Test
  void whatDoesNotFitIsRefusedByName() {
    refused("number of widths", () -> new ProgressiveDequantizer(List.of(2), 16, 32, 1));
    refused("width 1", () -> new ProgressiveDequantizer(List.of(4, 2), 16, 32, 1));
    refused("window", () -> new ProgressiveDequantizer(List.of(2, 4), 0, 32, 1));
    refused("hidden", () -> new ProgressiveDequantizer(List.of(2, 4), 16, 0, 1));
    ProgressiveDequantizer chain = new ProgressiveDequantizer(List.of(2, 4), 16, 32, 1);
    try (Workbench bench = new Workbench("java")) {
      Backend on = bench.backend();
      Tensor x = bench.tensor(new float[] {1f, 2f}, 2);
      Tensor longer = bench.tensor(DType.F32, 3);
      refused("from is 4", () -> chain.raise(on, 4, 4, x, x));
      refused("to is 3", () -> chain.raise(on, 2, 3, x, x));
      refused("output is ", () -> chain.raise(on, 2, 4, x, longer));
      refused("high is ", () -> chain.train(on, 2, x, longer, null, 1e-3));
      refused("otherGradient is ", () -> chain.train(on, 2, x, x, longer, 1e-3));
      refused("learningRate", () -> chain.train(on, 2, x, x, null, 0.0));
    }
  }

  private static void refused(String start, Runnable call) {
    String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(message.startsWith(start), message);
  }
}
