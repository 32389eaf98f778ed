package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A step's states survive a file, on whichever backend they are taken up again. */
class StepFileTest {
  private static final AdafactorOptions OPTIONS = new AdafactorOptions().withBeta1(0.9);

  @TempDir private Path folder;

  private static float[] values(long seed, int n) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (random.nextDouble() - 0.5);
    }
    return values;
  }

  private static List<Parameter> parameters(Workbench bench, float[] matrix, float[] vector) {
    return List.of(
        Parameter.of(bench.tensor(matrix, 20, 30), bench.tensor(values(3, 600), 20, 30)),
        Parameter.of(bench.tensor(vector, 77), bench.tensor(values(4, 77), 77)).named("bias"));
  }

  @Test
  void theRunGoesOnWithTheSameBits() throws IOException {
    for (Backend from : Machine.hostBackends()) {
      for (Backend to : Machine.hostBackends()) {
        Path file = folder.resolve(from.name() + "-" + to.name());
        try (Workbench bench = new Workbench(from.name());
            Workbench other = new Workbench(to.name())) {
          List<Parameter> first = parameters(bench, values(1, 600), values(2, 77));
          try (Adafactor step = new Adafactor(from, OPTIONS, first)) {
            step.step();
            step.step();
            step.save(file);
            Tensor matrix = first.get(0).value();
            Tensor vector = first.get(1).value();
            List<Parameter> second = parameters(other, bench.floats(matrix), bench.floats(vector));
            try (Adafactor resumed = new Adafactor(to, OPTIONS, second)) {
              resumed.load(file);
              assertEquals(2, resumed.steps());
              step.step();
              resumed.step();
              for (int i = 0; i < 2; i++) {
                assertArrayEquals(
                    bench.floats(first.get(i).value()), other.floats(second.get(i).value()));
              }
            }
          }
        }
      }
    }
  }

  @Test
  void whatDoesNotFitIsRefusedAndChangesNothing() throws IOException {
    Path file = folder.resolve("file");
    try (Workbench bench = new Workbench("java")) {
      List<Parameter> parameters = parameters(bench, values(1, 600), values(2, 77));
      Backend backend = bench.backend();
      try (Adafactor step = new Adafactor(backend, OPTIONS, parameters)) {
        step.step();
        step.save(file);
      }
      byte[] whole = Files.readAllBytes(file);
      try (Adafactor step = new Adafactor(backend, OPTIONS, parameters)) {
        for (int at = 8; at < whole.length; at += 1 + whole.length / 97) {
          byte[] damaged = whole.clone();
          damaged[at] ^= 4;
          Files.write(file, damaged);
          assertThrows(IllegalArgumentException.class, () -> step.load(file), "byte " + at);
        }
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 1));
        assertThrows(IllegalArgumentException.class, () -> step.load(file));
        assertThrows(NullPointerException.class, () -> step.load(null));
        assertThrows(NullPointerException.class, () -> step.save(null));
        assertEquals(0, step.steps());
        for (float value : bench.floats(step.state(0, "row"))) {
          assertEquals(0f, value);
        }
      }
      Files.write(file, whole);
      try (Adafactor step = new Adafactor(backend, new AdafactorOptions(), parameters)) {
        Throwable thrown = assertThrows(IllegalArgumentException.class, () -> step.load(file));
        assertTrue(thrown.getMessage().contains("bias.m"), thrown.getMessage());
      }
      List<Parameter> twice =
          List.of(parameters.get(0).named("bias"), parameters.get(1).named("bias"));
      try (Adafactor step = new Adafactor(backend, OPTIONS, twice)) {
        Throwable thrown = assertThrows(IllegalArgumentException.class, () -> step.save(file));
        assertTrue(thrown.getMessage().contains("called bias"), thrown.getMessage());
      }
    }
  }
}
