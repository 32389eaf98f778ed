package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.averages.ForcedWeightNorm;
import org.fettle.internal.algebra.BoundedQuadratic;
import org.fettle.internal.algebra.Matrix;
import org.fettle.replay.Workbench;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps and reparameterisations where rounding or a stopping rule would decide. */
class StepEdgesTest {
  static List<Backend> backends() {
    return Machine.productBackends();
  }

  /** The conditions that only the one solution meets, with multipliers of every size. */
  @Test
  void quadraticProgrammesAreSolvedExactly() {
    SplittableRandom random = new SplittableRandom(11);
    for (int trial = 0; trial < 300; trial++) {
      int m = 1 + trial % 12;
      Matrix rows = Matrix.zeros(m, 3 + trial % 40);
      for (int i = 0; i < rows.values().length; i++) {
        rows.values()[i] = random.nextDouble() - 0.5;
      }
      Matrix form = Matrix.zeros(m, m);
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
          for (int k = 0; k < rows.columns(); k++) {
            form.set(i, j, form.get(i, j) + rows.get(i, k) * rows.get(j, k));
          }
        }
      }
      form.scale(1 / form.trace()).addToDiagonal(trial % 2 == 0 ? 1e-4 : 1e-6);
      double[] low = new double[m];
      low[trial % m] = 1.0 / m;
      double[] v = BoundedQuadratic.smallestAbove(form, low);
      for (int i = 0; i < m; i++) {
        double slope = 0;
        for (int j = 0; j < m; j++) {
          slope += form.get(i, j) * v[j];
        }
        assertTrue(v[i] >= low[i], "trial " + trial);
        assertTrue(slope > -1e-13, "trial " + trial + ": slope " + slope);
        assertEquals(0, slope * (v[i] - low[i]), 1e-13, "trial " + trial);
      }
    }
  }

  @Test
  void boundsOfZeroHold() {
    assertArrayEquals(
        new double[3], BoundedQuadratic.smallestAbove(Matrix.diagonal(3, 1), new double[3]));
    assertArrayEquals(
        new double[0], BoundedQuadratic.smallestAbove(Matrix.zeros(0, 0), new double[0]));
  }

  /** One element has no direction that could change, whatever v / |v| rounds to. */
  @ParameterizedTest
  @MethodSource("backends")
  void rowsOfOneElementHaveNoGradient(Backend backend) {
    int n = 37;
    SplittableRandom random = new SplittableRandom(12);
    float[] v = draws(random, n);
    float[] dw = draws(random, n);
    try (Workbench bench = new Workbench(backend.name())) {
      Tensor out = bench.tensor(draws(random, n), n, 1);
      Tensor magnitude = bench.tensor(draws(random, n), n);
      Tensor weight = bench.tensor(v, n, 1);
      Tensor gradient = bench.tensor(dw, n, 1);
      Tensor ofMagnitude = bench.tensor(new float[n], n);
      WeightNorm.backward(backend, 0, weight, magnitude, gradient, out, ofMagnitude);
      assertEquals(0, largest(bench.floats(out)));
      for (int i = 0; i < n; i++) {
        assertEquals(Math.signum(v[i]) * dw[i], bench.floats(ofMagnitude)[i]);
      }
      WeightConditioning.backward(backend, false, weight, gradient, out);
      assertEquals(0, largest(bench.floats(out)));
      new ForcedWeightNorm().gradient(backend, 0.7, weight, gradient, out);
      for (int i = 0; i < n; i++) {
        double q = 1e-4 + Math.abs((double) v[i]);
        double expected = 0.7 * 1e-4 * dw[i] / (q * q);
        assertEquals(expected, bench.floats(out)[i], 1e-6 * Math.abs(expected));
      }
    }
  }

  /** The numerator is g times the d that was just found; a first moment would hold the old one. */
  @ParameterizedTest
  @MethodSource("backends")
  void prodigyWithoutFirstMomentStepsByTheNewEstimate(Backend backend) {
    int n = 50;
    SplittableRandom random = new SplittableRandom(13);
    float[] start = draws(random, n);
    float[] gradient = draws(random, n);
    double beta2 = 0.999;
    ProdigyOptions options =
        new ProdigyOptions(
            1,
            0,
            beta2,
            Math.sqrt(beta2),
            1e-8,
            0,
            true,
            false,
            false,
            1e-3,
            1,
            Double.POSITIVE_INFINITY,
            1);
    try (Workbench bench = new Workbench(backend.name())) {
      Parameter parameter = Parameter.of(bench.tensor(start, n), bench.tensor(gradient, n));
      try (Prodigy step = new Prodigy(backend, options, List.of(parameter))) {
        double second = 0;
        boolean grew = false;
        for (int t = 0; t < 6; t++) {
          float[] p = bench.floats(parameter.value());
          double before = step.d();
          step.step();
          grew |= step.d() > 2 * before;
          second = beta2 * second + before * before * (1 - beta2);
          for (int i = 0; i < n; i++) {
            double size = Math.abs((double) gradient[i]);
            double expected =
                p[i]
                    - before
                        * step.d()
                        * gradient[i]
                        / (Math.sqrt(second) * size + step.d() * 1e-8);
            assertEquals(
                expected, bench.floats(parameter.value())[i], 2e-6 * Math.abs(expected) + 2e-7);
          }
        }
        assertTrue(grew, "d has grown");
      }
    }
  }

  /** Floats of a badly conditioned matrix have another condition number. */
  @ParameterizedTest
  @MethodSource("backends")
  void theConditionOfTheEffectiveWeightIsNotThatOfItsFloats(Backend backend) {
    try (Workbench bench = new Workbench(backend.name())) {
      Tensor weight = bench.tensor(new float[] {1, 2, 3, 6.125f}, 2, 2);
      double cosine = (3 + 2 * 6.125) / Math.sqrt(5 * (9 + 6.125 * 6.125));
      double expected = Math.sqrt((1 + cosine) / (1 - cosine));
      assertEquals(
          expected, WeightConditioning.effectiveCondition(backend, weight), 1e-6 * expected);
    }
  }

  private static float[] draws(SplittableRandom random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (random.nextDouble() - 0.5) * 2;
    }
    return values;
  }

  private static float largest(float[] values) {
    float largest = 0;
    for (float value : values) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }
}
