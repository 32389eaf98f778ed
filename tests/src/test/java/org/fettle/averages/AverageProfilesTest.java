package org.fettle.averages;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fettle.Average;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.rules.Sgd;
import org.fettle.sparsity.Masks;
import org.junit.jupiter.api.Test;

/** The profiles of averages, on a step and beside it, and the limits of what can be rebuilt. */
class AverageProfilesTest {
  private static final int SIZE = 700;

  @Test
  void whatRidesOnAStepIsWhatMovesBesideIt() {
    List<Average> rules =
        List.of(
            new Average(0.9).withWarmup(Average.Warmup.EXPONENTIAL, 4, 0.3),
            new Average(0.9).withWarmup(Average.Warmup.EXPONENTIAL, 0, 0.3),
            Average.halfLife(5, 0.3),
            Average.power(0.1),
            Average.power(0.29),
            Average.uniform(2, 3));
    for (Backend.Availability backend : Backend.all()) {
      if (backend.isAvailable()) {
        rules.forEach(rule -> compare(backend.name(), rule));
      }
    }
  }

  private static void compare(String name, Average rule) {
    Random random = new Random(3);
    float[] values = new float[SIZE];
    try (Workbench bench = new Workbench(name)) {
      Tensor weight = bench.tensor(values, SIZE);
      Tensor gradient = bench.tensor(values, SIZE);
      Tensor riding = bench.tensor(values, SIZE);
      Tensor beside = bench.tensor(values, SIZE);
      try (Plan plan =
          Plan.builder()
              .group(new Sgd().withLr(0.1), Parameter.of(weight, gradient).withAverage(riding))
              .average(rule)
              .backend(bench.backend())
              .build()) {
        for (int step = 1; step <= 12; step++) {
          for (int i = 0; i < SIZE; i++) {
            values[i] = (float) random.nextGaussian();
          }
          bench.put(gradient, values);
          plan.step();
          if (rule.movesAt(step)) {
            MovingAverage.move(bench.backend(), rule.factor(step), weight, beside);
          }
          assertArrayEquals(
              bench.floats(beside), bench.floats(riding), name + ", " + rule + ", step " + step);
        }
      }
    }
  }

  @Test
  void lookaheadRidesOnAStep() {
    for (Backend.Availability backend : Backend.all()) {
      if (backend.isAvailable()) {
        lookahead(backend.name(), false);
        lookahead(backend.name(), true);
      }
    }
  }

  private static void lookahead(String name, boolean masks) {
    Random random = new Random(4);
    float[] values = new float[SIZE];
    for (int i = 0; i < SIZE; i++) {
      values[i] = (float) random.nextGaussian();
    }
    try (Workbench bench = new Workbench(name)) {
      Tensor weight = bench.tensor(values, SIZE);
      Tensor slow = bench.tensor(values, SIZE);
      Tensor twin = bench.tensor(values, SIZE);
      Tensor slowTwin = bench.tensor(values, SIZE);
      Tensor gradient = bench.tensor(values, SIZE);
      Tensor mask = bench.tensor(DType.BIT, SIZE);
      Masks.on(bench.backend()).fill(mask, false);
      Parameter riding = Parameter.of(weight, gradient).withAverage(slow);
      Lookahead beside = new Lookahead(bench.backend(), 0.8, 3, List.of(twin), List.of(slowTwin));
      try (Plan plan =
              Plan.builder()
                  .group(new Sgd().withLr(0.1), masks ? riding.withMask(mask) : riding)
                  .average(Average.lookahead(0.8, 3))
                  .backend(bench.backend())
                  .build();
          Plan other =
              Plan.builder()
                  .group(new Sgd().withLr(0.1), Parameter.of(twin, gradient))
                  .backend(bench.backend())
                  .build()) {
        for (int step = 1; step <= 7; step++) {
          for (int i = 0; i < SIZE; i++) {
            values[i] = (float) random.nextGaussian();
          }
          bench.put(gradient, values);
          plan.step();
          other.step();
          boolean moved = beside.afterStep();
          float[] seen = bench.floats(weight);
          String what = name + ", step " + step;
          if (masks) {
            assertArrayEquals(new float[SIZE], seen, what);
          } else {
            assertArrayEquals(bench.floats(twin), seen, 1e-6f, what);
            assertArrayEquals(bench.floats(slowTwin), bench.floats(slow), 1e-6f, what);
            if (moved) {
              assertArrayEquals(bench.floats(slow), seen, what);
            }
          }
        }
      }
    }
  }

  @Test
  void aUniformAverageIsTheMeanOfWhatWasCaptured() {
    Average rule = Average.uniform(1, 2);
    double mean = 0;
    double sum = 0;
    int captured = 0;
    for (int step = 1; step <= 9; step++) {
      double value = step * step;
      if (rule.movesAt(step)) {
        mean = rule.factor(step) * mean + (1 - rule.factor(step)) * value;
        sum += value;
        captured++;
      }
    }
    assertEquals(4, captured);
    assertEquals(sum / captured, mean, 1e-12);
  }

  @Test
  void aWiderProfileThanThereIsIsRefused() {
    assertEquals(0.30028, PowerProfile.WIDEST, 5e-6);
    assertEquals((Math.sqrt(5) - 3) / 2, new PowerProfile(PowerProfile.WIDEST).gamma(), 1e-6);
    assertThrows(IllegalArgumentException.class, () -> new PowerProfile(0.3003));
    assertThrows(IllegalArgumentException.class, () -> new PowerProfile(Double.NaN));
    assertThrows(IllegalArgumentException.class, () -> Average.power(0.5));
    for (double deviation : new double[] {0.001, 0.05, 0.1, 0.2887, 0.295, 0.3}) {
      double gamma = new PowerProfile(deviation).gamma();
      double back = Math.sqrt((gamma + 1) / ((gamma + 2) * (gamma + 2) * (gamma + 3)));
      assertEquals(deviation, back, 1e-9 * deviation);
      assertTrue(gamma >= (Math.sqrt(5) - 3) / 2);
    }
  }

  @Test
  void whatIsStoredIsRebuiltAndEqualSnapshotsAreRefused() {
    List<PostHoc.Snapshot> stored = new ArrayList<>();
    // Times whose powers would overflow, and profiles close to each other.
    for (int k = 1; k <= 4; k++) {
      stored.add(new PostHoc.Snapshot(1e12 * k, new PowerProfile(0.001)));
      stored.add(new PostHoc.Snapshot(1e12 * k, new PowerProfile(0.1)));
    }
    for (int wanted = 0; wanted < stored.size(); wanted++) {
      double[] coefficients = PostHoc.coefficients(stored, stored.get(wanted));
      for (int k = 0; k < coefficients.length; k++) {
        assertEquals(k == wanted ? 1 : 0, coefficients[k], 1e-9);
      }
    }
    stored.add(stored.get(3));
    IllegalArgumentException refusal =
        assertThrows(
            IllegalArgumentException.class, () -> PostHoc.coefficients(stored, stored.get(0)));
    assertTrue(refusal.getMessage().contains("snapshots 3 and 8"), refusal.getMessage());
  }

  @Test
  void extrapolationIsAllowed() {
    List<PostHoc.Snapshot> stored =
        List.of(
            new PostHoc.Snapshot(1000, new PowerProfile(0.05)),
            new PostHoc.Snapshot(1000, new PowerProfile(0.1)));
    double[] coefficients =
        PostHoc.coefficients(stored, new PostHoc.Snapshot(1200, new PowerProfile(0.05)));
    assertEquals(1, coefficients[0] + coefficients[1], 1e-12);
  }
}
