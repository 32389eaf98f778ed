package org.fettle.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fettle.Hyper;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Option words and numbers that no committed golden vector has. */
class OptionReplayTest {
  private final Map<String, Values> arrays = new LinkedHashMap<>();

  static List<String> backends() {
    return GoldenFiles.backends();
  }

  private void array(String name, String dtype, double... values) {
    arrays.put(name, new Values(name, dtype, List.of((long) values.length), values));
  }

  private void passes(
      String backend, String method, Map<String, ?> hyper, List<String> inputs, int steps) {
    List<String> outputs = arrays.keySet().stream().filter(name -> !inputs.contains(name)).toList();
    Replays.Result result =
        Replays.replay(
            new GoldenCase(
                Path.of(method),
                method,
                new Hyper(hyper),
                steps,
                inputs,
                outputs,
                Map.of(),
                arrays),
            backend);
    assertNull(result.failure());
    assertEquals(outputs.size(), result.comparisons().size());
    assertTrue(result.passed(), result.comparisons().toString());
  }

  @ParameterizedTest
  @MethodSource("backends")
  void globalNormsThatAreNotEuclidean(String backend) {
    for (boolean largest : new boolean[] {true, false}) {
      double norm = largest ? 4 : 8.5;
      double factor = 2 / (norm + 1e-6);
      array("grad1", "F32", 3, -4, 1);
      array("grad2", "F32", 0.5);
      array("norm", "F64", norm);
      array("out1", "F64", 3 * factor, -4 * factor, factor);
      array("out2", "F64", 0.5 * factor);
      Object type = largest ? "inf" : 1.0;
      Map<String, Object> hyper = Map.of("eps", 1e-6, "max_norm", 2, "norm_type", type);
      passes(backend, "clip-global-norm", hyper, List.of("grad1", "grad2"), 0);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void aScheduleThatStartsAboveZero(String backend) {
    array("step", "I64", 1, 2, 4, 9);
    array("alpha", "F64", 1.5, 2, 3, 3);
    // The 1e-8 inside the logarithm comes out while the ramp lasts.
    array("beta3", "F64", 0.50000001, 0.50000001, 0.5, 0.5);
    Map<String, ?> hyper =
        Map.of("alpha_start", 1, "alpha_end", 3, "beta_start", 0.5, "beta_end", 0.5, "warmup", 4);
    passes(backend, "ademamix-schedule", hyper, List.of("step"), 0);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void aTensorOfOneAxisHasNoWorstCase(String backend) {
    array("w", "F32", 3, -4, 1);
    array("proxy", "F32", 2, 1, 1);
    array("diff", "F64", 0, 0, 0);
    array("perturbed", "F64", 3, -4, 1);
    Map<String, ?> hyper = Map.of("eps", 1e-20, "gamma", 0.01);
    passes(backend, "awp", hyper, List.of("w", "proxy"), 0);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void larsKeepsNoBufferWithoutMomentum(String backend) {
    // |p| = 5 and |g| = 1.25, so q is 0.5 * 5 / (1.25 + 0.1 * 5) in the first step.
    double q = 2.5 / 1.75;
    array("param0", "F32", 3, -4);
    array("grad", "F32", 0.75, 1);
    arrays.put("grad", new Values("grad", "F32", List.of(1L, 2L), new double[] {0.75, 1}));
    double[] moved = {3 - 0.1 * q * (0.75 + 0.3), -4 - 0.1 * q * (1 - 0.4)};
    arrays.put("param", new Values("param", "F64", List.of(1L, 2L), moved));
    arrays.put("momentum", new Values("momentum", "F64", List.of(1L, 2L), new double[2]));
    Map<String, ?> hyper =
        Map.of(
            "lr",
            0.1,
            "momentum",
            0,
            "weight_decay",
            0.1,
            "trust_coefficient",
            0.5,
            "eps",
            0,
            "clip",
            false);
    passes(backend, "lars", hyper, List.of("param0", "grad"), 1);
  }
}
