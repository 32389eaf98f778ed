package org.fettle.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.fettle.Backend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RunTest {
  static List<Row> rows() {
    return Rows.all();
  }

  @ParameterizedTest
  @MethodSource("rows")
  void rowLearnsAndRepeatsOnEveryBackend(Row row) {
    Result first = run(row, "java", 1);
    assertTrue(first.finalAccuracy() > 0.6, row.name() + ": " + first.finalAccuracy());
    assertTrue(first.finalLoss() < first.loss().get(0).value());
    assertEquals(8 * 32, first.steps());
    assertEquals(8, first.accuracy().size());
    for (Backend.Availability backend : Backend.all()) {
      if (backend.isAvailable() && !backend.name().startsWith("cuda")) {
        Result again = run(row, backend.name(), 3);
        assertEquals(first.bitsInHex(), again.bitsInHex(), row.name() + " on " + backend.name());
        assertArrayEquals(first.predictions(), again.predictions());
      }
    }
  }

  @Test
  void bytesAreCounted() {
    assertEquals(8, run("adamw").stateBytesPerParameter());
    assertEquals(12, run("adamw").bytesPerParameter());
    assertEquals(10, run("adamw-bf16").bytesPerParameter());
    assertEquals(14, run("adamw-master").bytesPerParameter());
    assertEquals(4, run("lion").stateBytesPerParameter());
    assertEquals(16, run("adamw-ema").bytesPerParameter());
    assertEquals(12.125, run("adamw-pruned").bytesPerParameter(), 0.03);
  }

  @Test
  void prunedWeightsStayZero() {
    float[] weights = run("adamw-pruned").firstLayer();
    int zeros = 0;
    for (float weight : weights) {
      zeros += weight == 0f ? 1 : 0;
    }
    assertEquals(0.9, (double) zeros / weights.length, 0.005);
  }

  @Test
  void averageIsTestedAndTheWeightsAreNot() {
    Result plain = run("adamw");
    Result averaged = run("adamw-ema");
    assertEquals(plain.bitsInHex(), averaged.bitsInHex());
    assertArrayEquals(plain.firstLayer(), averaged.firstLayer());
    assertTrue(plain.testLoss() != averaged.testLoss());
  }

  @Test
  void scheduleRisesAndFalls() {
    long steps = 1000;
    assertTrue(Settings.schedule(0, steps) > 0);
    assertTrue(Settings.schedule(0, steps) < 0.05);
    assertEquals(1, Settings.schedule(50, steps), 1e-12);
    assertEquals(0.5, Settings.schedule(525, steps), 1e-12);
    assertTrue(Settings.schedule(999, steps) < 1e-4);
  }

  private static Result run(String name) {
    Row row = Rows.all().stream().filter(r -> r.name().equals(name)).findFirst().orElseThrow();
    return run(row, "java", 1);
  }

  private static Result run(Row row, String backend, int threads) {
    Settings settings = new Settings(8, 32, List.of(24, 12), threads, Backend.named(backend), 7);
    try (Run run = new Run(row, Toy.dataset(), settings)) {
      return run.train(Progress.QUIET);
    }
  }
}
