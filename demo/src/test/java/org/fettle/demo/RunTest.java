package org.fettle.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RunTest {
  private static final int EPOCHS = 6;

  /** The run of each row on the Java backend, made once. */
  private static final Map<String, Result> FIRST = new HashMap<>();

  /** SWAMP's trainings have a third of the epochs each, and must recover from being pruned. */
  private static int epochs(Row row) {
    return row.name().equals("swamp") ? 4 * EPOCHS : EPOCHS;
  }

  static List<Row> rows() {
    return Rows.all();
  }

  @ParameterizedTest
  @MethodSource("rows")
  void rowLearnsAndRepeatsOnEveryBackend(Row row) {
    Result first = run(row.name());
    int epochs = row.recipe().get().cycles(epochs(row)).stream().mapToInt(Cycle::epochs).sum();
    assertTrue(first.finalAccuracy() > 0.45, row.name() + ": " + first.finalAccuracy());
    assertTrue(
        first.finalLoss() < 0.8 * first.loss().get(0).value(),
        row.name() + ": " + first.finalLoss());
    assertEquals(epochs, first.accuracy().size());
    assertTrue(first.steps() > 0.8 * epochs * 32 && first.steps() <= epochs * 32L);
    for (Backend.Availability backend : Backend.all()) {
      if (isNativeCpu(backend)) {
        Result again = run(row, backend.name(), 3);
        if (!row.sameBits()) {
          assertEquals(first.finalAccuracy(), again.finalAccuracy(), 0.02, row.name());
          assertEquals(first.testLoss(), again.testLoss(), 0.1 * first.testLoss(), row.name());
          continue;
        }
        assertEquals(first.bitsInHex(), again.bitsInHex(), row.name() + " on " + backend.name());
        assertArrayEquals(first.predictions(), again.predictions());
      }
    }
  }

  private static boolean isNativeCpu(Backend.Availability backend) {
    return backend.isAvailable()
        && !backend.name().startsWith("cuda")
        && !backend.name().equals("java");
  }

  @Test
  void bytesAreCounted() {
    assertEquals(8, run("adamw").stateBytesPerParameter());
    assertEquals(12, run("adamw").bytesPerParameter());
    assertEquals(10, run("adamw-bf16").bytesPerParameter());
    assertEquals(14, run("adamw-master").bytesPerParameter());
    assertEquals(4, run("lion").stateBytesPerParameter());
    assertEquals(16, run("ema").bytesPerParameter());
    assertEquals(12.125, run("pruned").bytesPerParameter(), 0.03);
  }

  @Test
  void statesOfFewBitsAreSmall() {
    double all = run("adamw").stateBytesPerParameter();
    assertTrue(run("adamw-8bit").stateBytesPerParameter() < 0.6 * all);
    assertTrue(run("adamw-fp8").stateBytesPerParameter() < 0.6 * all);
    assertTrue(run("adamw-4bit").stateBytesPerParameter() < 0.5 * all);
  }

  @Test
  void weightsOfFewBitsHaveFewValues() {
    assertTrue(values("lsq-4bit") <= 16);
    assertTrue(values("lsq-2bit") <= 4);
    assertEquals(2, values("reste"));
    assertTrue(run("eco-fp8").bytesPerParameter() < run("master-fp8").bytesPerParameter());
    assertTrue(run("eco-int4").modelBytesPerParameter() < 0.3 * 4);
  }

  private static long values(String name) {
    float[] weights = run(name).firstLayer();
    return IntStream.range(0, weights.length).mapToObj(i -> weights[i] + 0f).distinct().count();
  }

  @Test
  void sparseRowsAreSparse() {
    for (String name : List.of("pruned", "imp", "rigl", "granet", "sms", "swamp")) {
      assertEquals(0.1, run(name).footprint().density(), 0.01, name);
    }
    float[] pairs = run("sr-ste").firstLayer();
    float[] eighths = run("bdwp").firstLayer();
    for (int i = 0; i < pairs.length; i += 8) {
      assertTrue(nonZeros(pairs, i, 4) <= 2 && nonZeros(pairs, i + 4, 4) <= 2);
      assertTrue(nonZeros(eighths, i, 8) <= 2);
    }
    float[] units = run("dhspg").firstLayer();
    int zeros = 0;
    for (int i = 0; i < units.length; i += Toy.HEIGHT * Toy.WIDTH) {
      zeros += nonZeros(units, i, Toy.HEIGHT * Toy.WIDTH) == 0 ? 1 : 0;
    }
    assertTrue(zeros >= 8, "zero units: " + zeros);
  }

  private static int nonZeros(float[] values, int from, int n) {
    int count = 0;
    for (int i = from; i < from + n; i++) {
      count += values[i] != 0f ? 1 : 0;
    }
    return count;
  }

  @Test
  void averageIsTestedAndTheWeightsAreNot() {
    Result plain = run("adamw");
    Result averaged = run("ema");
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
    return FIRST.computeIfAbsent(name, key -> run(row, "java", 1));
  }

  private static Result run(Row row, String backend, int threads) {
    Settings settings =
        new Settings(epochs(row), 32, List.of(128, 64), threads, Backend.named(backend), 7);
    try (Run run = new Run(row, Toy.dataset(), settings)) {
      return run.train(Progress.QUIET);
    }
  }
}
