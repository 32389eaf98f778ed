package org.fettle.benchmarks;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** The named ratios, and what each of them should reach. */
final class Goals {
  /** Of ceiling, for a rule that has no line of its own. */
  private static final double RULE = 0.93;

  private static final Map<String, Double> AT_LEAST = new LinkedHashMap<>();

  static {
    AT_LEAST.put("adamw.f32.1e4.ceiling", 0.60);
    AT_LEAST.put("adamw.f32.1e6.ceiling", 0.93);
    AT_LEAST.put("adamw.f32.1e7.ceiling", 0.95);
    AT_LEAST.put("adamw.f32.1e8.ceiling", 0.95);
    AT_LEAST.put("adamw.f32.1e7.2t.ceiling", 0.95);
    AT_LEAST.put("adamw.f32.1e8.2t.ceiling", 0.95);
    AT_LEAST.put("adamw.bf16.1e7.ceiling", 0.95);
    AT_LEAST.put("adamw.bf16.1e7.2t.ceiling", 0.95);
    AT_LEAST.put("adamw.linear8.1e7.ceiling", 0.70);
    AT_LEAST.put("adamw.dynamic8.1e7.ceiling", 0.70);
    AT_LEAST.put("adamw.f32.1e4.libtorch", 4.0);
    AT_LEAST.put("adamw.f32.1e7.libtorch", 1.05);
    AT_LEAST.put("adamw.f32.1e8.libtorch", 1.05);
    AT_LEAST.put("adamw.f32.1e7.2t.libtorch", 1.05);
    AT_LEAST.put("adamw.f32.1e6.libtorch-step", 4.0);
    AT_LEAST.put("adamw.f32.1e7.libtorch-step", 6.5);
    AT_LEAST.put("adamw.f32.1e7.nd4j", 4.0);
    AT_LEAST.put("adamw.f32.1e7.2t.nd4j", 4.0);
  }

  private static final Map<String, Double> AT_MOST = Map.of("adamw.f32.1e3.us", 1.5);

  private Goals() {}

  /** The ratios of a result by name; more is better, but for times. */
  static Map<String, Double> ratios(Result result) {
    Map<String, Double> ratios = new LinkedHashMap<>();
    String ours = result.ours();
    if (result.elements() == 1_000) {
      ratios.put(result.name() + ".us", result.nanosPerStep(ours) / 1e3);
    }
    for (String other : result.contestants()) {
      if (other.equals(Result.CEILING) || Peer.CONTESTANTS.contains(other)) {
        ratios.put(result.name() + "." + other, result.speed(ours, other));
      }
    }
    return ratios;
  }

  /** Such as {@code >= 0.95}; empty if there is none. */
  static String text(String ratio) {
    if (AT_MOST.containsKey(ratio)) {
      return "<= " + number(AT_MOST.get(ratio));
    }
    Double goal = AT_LEAST.get(ratio);
    if (goal == null && ratio.endsWith(".f32.1e7.ceiling")) {
      goal = RULE;
    }
    return goal == null ? "" : ">= " + number(goal);
  }

  private static String number(double x) {
    return String.format(Locale.ROOT, "%.2f", x);
  }
}
