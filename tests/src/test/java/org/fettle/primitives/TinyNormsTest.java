package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.NormLoss;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.StableMax;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.rules.Lamb;
import org.fettle.rules.LionKappa;
import org.fettle.testkit.Machine;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Quotients by norms that 1 cannot be divided by in float, as after a thousand steps without a
 * gradient, and by squares that are no floats.
 */
class TinyNormsTest {
  static Stream<Backend> backends() {
    return Machine.hostBackends().stream();
  }

  /** One step from 0, the gradient being 3, -4, 0, 0 times a power of two. */
  private static float[] step(Backend backend, Rule rule, float scale, float start) {
    Tensor p = Floats.tensor(new float[] {start, start, start, start}, 2, 2);
    Tensor g = Floats.tensor(new float[] {3 * scale, -4 * scale, 0, 0}, 2, 2);
    try (Plan plan =
        Plan.builder().backend(backend).group(rule, List.of(Parameter.of(p, g))).build()) {
      plan.step(new Step());
    }
    return Floats.of(p);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void lionByNorms(Backend backend) {
    for (LionKappa.Kappa kappa : List.of(LionKappa.Kappa.L2, LionKappa.Kappa.GROUP_L2)) {
      LionKappa rule = new LionKappa().withLr(0.5).withBeta1(0).withKappa(kappa, 0);
      for (float scale : new float[] {1, 0x1p-80f, 0x1p-100f, 0x1p-140f, 0x1p120f}) {
        assertArrayEquals(
            new float[] {-0.3f, 0.4f, 0, 0},
            step(backend, rule, scale, 0),
            1e-7f,
            kappa.toString());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void relativisticLion(Backend backend) {
    LionKappa rule = new LionKappa().withLr(0.5).withBeta1(0);
    for (float scale : new float[] {1, 0x1p-30f, 0x1p-100f, 0x1p100f}) {
      LionKappa one = rule.withKappa(LionKappa.Kappa.RELATIVISTIC, 4 * scale);
      float[] expected = {-0.3f, 0.5f * (float) Math.sqrt(0.5), 0, 0};
      assertArrayEquals(expected, step(backend, one, scale, 0), 1e-7f);
    }
    LionKappa small = rule.withKappa(LionKappa.Kappa.RELATIVISTIC, 0.01);
    assertArrayEquals(new float[] {-0.5f, 0.5f, 0, 0}, step(backend, small, 1e20f, 0), 1e-7f);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void lamb(Backend backend) {
    Lamb rule = new Lamb().withLr(0.1).withWeightDecay(0).withUseNvlamb(true).withEps(1);
    for (float scale : new float[] {0x1p-60f, 0x1p-80f, 0x1p-130f}) {
      // |p| is 2 and u is along the gradient.
      float[] expected = {1 - 0.12f, 1 + 0.16f, 1, 1};
      assertArrayEquals(expected, step(backend, rule, scale, 1), 1e-6f);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void normLoss(Backend backend) {
    Tensor weight = Floats.tensor(new float[] {3 * 0x1p-135f, -4 * 0x1p-135f, 0, 0}, 2, 2);
    Tensor gradient = Floats.tensor(new float[4], 2, 2);
    NormLoss loss = new NormLoss(0.5);
    assertEquals(1, loss.gradient(backend, weight, gradient), 1e-12);
    assertArrayEquals(new float[] {-0.6f, 0.8f, 0, 0}, Floats.of(gradient), 1e-6f);
    loss.addTo(backend, weight, gradient);
    assertArrayEquals(new float[] {-1.2f, 1.6f, 0, 0}, Floats.of(gradient), 1e-6f);
    loss.decay(backend, 1, 0, weight);
    assertArrayEquals(new float[] {0.6f, -0.8f, 0, 0}, Floats.of(weight), 1e-6f);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void stableMaxOfVeryNegativeLogits(Backend backend) {
    Tensor logits = Floats.tensor(new float[] {-1e25f, -1e25f}, 1, 2);
    Tensor gradient = Floats.tensor(new float[2], 1, 2);
    StableMax.crossEntropy(backend, logits, new long[] {0}, gradient);
    assertArrayEquals(new float[] {-0.5e-25f, 0.5e-25f}, Floats.of(gradient), 1e-31f);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void stableMaxWhereTheLabelHasNearlyAll(Backend backend) {
    Tensor logits = Floats.tensor(new float[] {1e8f, 0, 0, 0}, 1, 4);
    assertEquals(3e-8, StableMax.crossEntropy(backend, logits, new long[] {0}), 1e-14);
    Tensor single = Floats.tensor(new float[] {0.3f}, 1, 1);
    assertEquals(0, StableMax.crossEntropy(backend, single, new long[] {0}));
  }
}
