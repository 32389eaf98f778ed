package org.fettle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Test;

/** What a mask hides from a step, and what becomes of the states behind it. */
class MaskedStatesTest {
  private static final int[] SIZES = {1, 7, 17, 511, 4097, 10_000};
  private static final List<Rule> RULES =
      List.of(new AdamW(), new Lamb(), new Sgd().withMomentum(0.9));
  private static final float[] GARBAGE = {
    Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 3e38f, -0f
  };

  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  private static float[] normal(long seed, int n) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static boolean[] mask(int n) {
    Random random = new Random(n);
    boolean[] kept = new boolean[n];
    for (int i = 0; i < n; i++) {
      kept[i] = random.nextInt(3) > 0;
    }
    return kept;
  }

  /** Values with something else where nothing is kept. */
  private static float[] with(float[] values, boolean[] kept, float... others) {
    float[] changed = values.clone();
    for (int i = 0; i < kept.length; i++) {
      if (!kept[i]) {
        changed[i] = others[i % others.length];
      }
    }
    return changed;
  }

  /** What two steps leave: parameter, states, norm. */
  private static final class Result {
    final float[] parameter;
    final List<float[]> states;
    final double norm;

    Result(float[] parameter, List<float[]> states, double norm) {
      this.parameter = parameter;
      this.states = states;
      this.norm = norm;
    }
  }

  private static Result run(
      String backend,
      Rule rule,
      MaskedStates policy,
      boolean[] kept,
      float[] p,
      float[] g,
      float state,
      NonFinite nonFinite) {
    int n = p.length;
    try (Workbench bench = new Workbench(backend)) {
      Tensor value = bench.tensor(p, n);
      Tensor gradient = bench.tensor(g, n);
      Parameter parameter = Parameter.of(value, gradient);
      if (kept != null) {
        double[] bits = new double[n];
        for (int i = 0; i < n; i++) {
          bits[i] = kept[i] ? 1 : 0;
        }
        Tensor mask = bench.tensor(DType.BIT, n);
        bench.putBits(mask, bits);
        parameter = parameter.withMask(mask);
      }
      try (Plan plan =
          Plan.builder()
              .group(rule, parameter)
              .maskedStates(policy)
              .clip(GradientClip.byGlobalNorm(0.5))
              .nonFinite(nonFinite)
              .backend(bench.backend())
              .build()) {
        float[] start = new float[n];
        Arrays.fill(start, state);
        for (String name : rule.states()) {
          bench.put(plan.state(0, name), start);
        }
        plan.step(new Step());
        plan.step(new Step());
        List<float[]> states = new ArrayList<>();
        for (String name : rule.states()) {
          states.add(bench.floats(plan.state(0, name)));
        }
        return new Result(bench.floats(value), states, plan.gradientNorm());
      }
    }
  }

  @Test
  void whatIsPrunedDoesNotExist() {
    for (String backend : backends()) {
      for (Rule rule : RULES) {
        for (int n : SIZES) {
          boolean[] kept = mask(n);
          float[] p = normal(1, n);
          float[] g = normal(2, n);
          for (MaskedStates policy : List.of(MaskedStates.ZERO, MaskedStates.FREEZE)) {
            String what = backend + ", " + rule.id() + ", " + n + ", " + policy;
            // RAISE: a gradient that is not finite where nothing is kept must not be found.
            Result masked =
                run(
                    backend,
                    rule,
                    policy,
                    kept,
                    with(p, kept, GARBAGE),
                    with(g, kept, GARBAGE),
                    0.25f,
                    NonFinite.RAISE);
            Result zeros =
                run(
                    backend,
                    rule,
                    policy,
                    kept,
                    with(p, kept, 0f),
                    with(g, kept, 0f),
                    0.25f,
                    NonFinite.RAISE);
            assertArrayEquals(zeros.parameter, masked.parameter, what);
            assertEquals(zeros.norm, masked.norm, what);
            float left = policy == MaskedStates.ZERO ? 0f : 0.25f;
            for (int k = 0; k < masked.states.size(); k++) {
              assertArrayEquals(zeros.states.get(k), masked.states.get(k), what);
              assertArrayEquals(with(masked.states.get(k), kept, left), masked.states.get(k), what);
            }
            assertArrayEquals(with(masked.parameter, kept, 0f), masked.parameter, what);
          }
        }
      }
    }
  }

  @Test
  void aFullMaskChangesNothing() {
    for (String backend : backends()) {
      for (Rule rule : RULES) {
        for (int n : SIZES) {
          boolean[] all = new boolean[n];
          Arrays.fill(all, true);
          float[] p = normal(3, n);
          float[] g = normal(4, n);
          for (MaskedStates policy : MaskedStates.values()) {
            String what = backend + ", " + rule.id() + ", " + n + ", " + policy;
            Result with = run(backend, rule, policy, all, p, g, 0.5f, NonFinite.PASS);
            Result without = run(backend, rule, policy, null, p, g, 0.5f, NonFinite.PASS);
            assertArrayEquals(without.parameter, with.parameter, what);
            for (int k = 0; k < with.states.size(); k++) {
              assertArrayEquals(without.states.get(k), with.states.get(k), what);
            }
          }
        }
      }
    }
  }

  @Test
  void statesGoOnWhereTheyAreUpdated() {
    for (String backend : backends()) {
      for (int n : SIZES) {
        boolean[] kept = mask(n);
        Rule rule = new Sgd().withMomentum(0.9);
        float[] p = new float[n];
        float[] g = normal(5, n);
        Result with = run(backend, rule, MaskedStates.UPDATE, kept, p, g, 0.5f, NonFinite.PASS);
        Result without = run(backend, rule, MaskedStates.UPDATE, null, p, g, 0.5f, NonFinite.PASS);
        for (int k = 0; k < with.states.size(); k++) {
          assertArrayEquals(without.states.get(k), with.states.get(k), backend + ", " + n);
        }
        assertEquals(without.norm, with.norm, backend + ", " + n);
        assertArrayEquals(with(without.parameter, kept, 0f), with.parameter, backend + ", " + n);
      }
    }
  }

  @Test
  void refusesNoPolicy() {
    NullPointerException error =
        assertThrows(NullPointerException.class, () -> Plan.builder().maskedStates(null));
    assertEquals("policy", error.getMessage());
  }
}
