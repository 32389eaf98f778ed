package org.fettle.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Rules;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every golden vector of this repository on every backend. */
class GoldenTest {
  /** Methods of which Fettle has a part only, with the arrays of that part. */
  private static boolean isPartial(GoldenCase golden) {
    return golden.method().equals("stochastic-round");
  }

  @TestFactory
  Stream<DynamicContainer> everyVector() {
    return Backend.all().stream()
        .map(
            backend ->
                DynamicContainer.dynamicContainer(
                    backend.name(),
                    GoldenFiles.all().stream()
                        .map(
                            file ->
                                DynamicTest.dynamicTest(
                                    file.getFileName().toString(),
                                    () -> {
                                      Assumptions.assumeTrue(
                                          backend.isAvailable(), backend.reason());
                                      replay(GoldenCase.read(file), backend.name());
                                    }))));
  }

  private static void replay(GoldenCase golden, String backend) {
    Replays.Result result = Replays.replay(golden, backend);
    List<String> wrong = new ArrayList<>();
    for (Comparison comparison : result.comparisons()) {
      boolean later = isPartial(golden) && comparison.toString().startsWith("int8: there is no");
      if (!comparison.passed() && !later) {
        wrong.add(comparison.toString());
      }
    }
    assertEquals(null, result.failure());
    assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
    assertEquals(golden.outputs().size(), result.comparisons().size());
  }

  @Test
  void everyRuleHasVectors() {
    List<String> methods = new ArrayList<>(Rules.methods());
    for (Path file : GoldenFiles.all()) {
      methods.remove(file.getFileName().toString().replaceFirst("-\\d+\\.safetensors", ""));
    }
    assertEquals(List.of(), methods);
  }
}
