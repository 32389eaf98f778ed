package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.NormLoss;
import org.fettle.Schedule;
import org.fettle.StableMax;
import org.fettle.Tensor;
import org.fettle.WeightCompander;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Properties of StableMax, norm loss, Weight Compander and the schedules. */
class LossesTest {
  static Stream<Backend> backends() {
    return Machine.hostBackends().stream();
  }

  private static double stable(double x) {
    return x >= 0 ? x + 1 : 1 / (1 - x);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void stableMaxOverLongAndShortRows(Backend backend) {
    SplittableRandom random = new SplittableRandom(5);
    for (int row : new int[] {1, 5, 130, 10_007}) {
      float[] logits = new float[3 * row];
      long[] labels = {0, row / 2, row - 1};
      for (int i = 0; i < logits.length; i++) {
        logits[i] = (float) (random.nextGaussian() * Math.scalb(1.0, random.nextInt(-10, 30)));
      }
      Tensor input = Floats.tensor(logits, 3, row);
      Tensor output = Floats.tensor(new float[3 * row], 3, row);
      Tensor logarithms = Floats.tensor(new float[3 * row], 3, row);
      StableMax.probabilities(backend, input, output);
      StableMax.logProbabilities(backend, input, logarithms);
      double loss = 0;
      for (int r = 0; r < 3; r++) {
        double sum = 0;
        for (int i = 0; i < row; i++) {
          sum += stable(logits[r * row + i]);
        }
        for (int i = 0; i < row; i++) {
          double p = stable(logits[r * row + i]) / sum;
          assertEquals(p, Floats.of(output)[r * row + i], 3e-7 * p);
          double log = Math.log(p);
          assertEquals(log, Floats.of(logarithms)[r * row + i], 4e-6 + 3e-7 * Math.abs(log));
        }
        loss -= Math.log(stable(logits[r * row + (int) labels[r]]) / sum) / 3;
      }
      assertEquals(loss, StableMax.crossEntropy(backend, input, labels), 1e-6 * (1 + loss));
      // In place, and the gradient's rows over s' add up to what the formula says.
      assertEquals(
          StableMax.crossEntropy(backend, input, labels),
          StableMax.crossEntropy(backend, input, labels, input));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void stableMaxAtTheKinks(Backend backend) {
    Tensor logits = Floats.tensor(new float[] {0f, -0f, 1f, -1f}, 1, 4);
    Tensor output = Floats.tensor(new float[4], 1, 4);
    StableMax.crossEntropy(backend, logits, new long[] {2}, output);
    double sum = 1 + 1 + 2 + 0.5;
    float[] expected = {
      (float) (1 / sum), (float) (1 / sum), (float) (1 / sum - 0.5), (float) (0.25 / sum)
    };
    assertArrayEquals(expected, Floats.of(output), 1e-7f);
    Tensor huge = Floats.tensor(new float[] {Float.MAX_VALUE, -Float.MAX_VALUE}, 1, 2);
    StableMax.logProbabilities(backend, huge, huge);
    assertEquals(0f, Floats.of(huge)[0], 1e-5f);
    assertEquals(-177.445, Floats.of(huge)[1], 1e-2);
    Tensor nan = Floats.tensor(new float[] {1f, Float.NaN}, 1, 2);
    assertTrue(Double.isNaN(StableMax.crossEntropy(backend, nan, new long[] {0})));
    assertTrue(
        Double.isNaN(
            StableMax.crossEntropy(backend, Tensor.allocate(DType.F32, 0, 4), new long[0])));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void normLossFormsAgree(Backend backend) {
    NormLoss loss = new NormLoss(0.1);
    float[] values = {3f, 4f, 0f, 0f, 0.3f, -0.4f};
    Tensor weight = Floats.tensor(values, 3, 2);
    Tensor gradient = Floats.tensor(new float[6], 3, 2);
    double expected = 0.1 * (16 + 1 + 0.25);
    assertEquals(expected, loss.loss(backend, weight), 1e-6);
    assertEquals(expected, loss.gradient(backend, weight, gradient), 1e-6);
    float[] formula = {0.48f, 0.64f, 0f, 0f, -0.06f, 0.08f};
    assertArrayEquals(formula, Floats.of(gradient), 1e-6f);
    loss.addTo(backend, weight, gradient);
    assertEquals(0.96f, Floats.of(gradient)[0], 1e-6f);
    loss.decay(backend, 0.5, 0, weight);
    assertEquals(3f - 0.24f, Floats.of(weight)[0], 1e-6f);
    assertEquals(0f, Floats.of(weight)[2]);
    assertEquals(0, loss.loss(backend, Tensor.allocate(DType.F32, 0, 7)));
    assertEquals(0.1, loss.loss(backend, Tensor.allocate(DType.F32)), 1e-9);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void companderStartsWhereItWasTold(Backend backend) {
    WeightCompander compander = new WeightCompander(0.5, 0.2);
    float[] values = {0f, 0.1f, -0.7f, 0.78f, -1e-6f};
    Tensor v = Floats.tensor(new float[5]);
    Tensor weight = Floats.tensor(values);
    compander.start(backend, weight, v);
    Tensor again = Floats.tensor(new float[5]);
    compander.forward(backend, v, again);
    assertArrayEquals(values, Floats.of(again), 2e-7f);
    Tensor odd = Floats.tensor(Float.POSITIVE_INFINITY, -0f, Float.MAX_VALUE);
    compander.forward(backend, odd, odd);
    assertArrayEquals(Floats.bits(0.7853982f, -0f, 0.7853982f), Floats.bits(Floats.of(odd)));
  }

  @Test
  void schedules() {
    assertEquals(3, Schedule.constant(3).at(77));
    Schedule linear = Schedule.linear(1, 0, 10);
    assertEquals(1, linear.at(0));
    assertEquals(0.5, linear.at(5));
    assertEquals(0, linear.at(11));
    Schedule cosine = Schedule.cosine(1, 0.2, 10);
    assertEquals(1, cosine.at(0));
    assertEquals(0.6, cosine.at(5), 1e-15);
    assertEquals(0.2, cosine.at(10));
    assertEquals(0.25, Schedule.polynomial(1, 0, 10, 2).at(5), 1e-15);
    assertEquals(0, Schedule.polynomial(1, 0, 10, 0.5).at(10));
    Schedule root = Schedule.inverseSquareRoot(1, 100);
    assertEquals(0.5, root.at(50));
    assertEquals(1, root.at(100));
    assertEquals(0.5, root.at(400));
    Schedule cycle = Schedule.oneCycle(1, 100, 0.3, 25, 1e4);
    assertEquals(0.04, cycle.at(0), 1e-15);
    assertEquals(1, cycle.at(30));
    assertEquals(4e-6, cycle.at(100), 1e-18);
    assertEquals(4e-6, cycle.at(1000), 1e-18);
    for (long t = 1; t < 100; t++) {
      assertTrue(t <= 30 == cycle.at(t) > cycle.at(t - 1), "at " + t);
    }
    assertEquals(0.25, Schedule.constant(1).withWarmup(4).at(1));
    assertEquals(1, Schedule.constant(1).withWarmup(4).at(4));
    Schedule warm = Schedule.cosine(1, 0, 10).afterWarmup(5);
    assertEquals(0.2, warm.at(1));
    assertEquals(1, warm.at(5));
    assertEquals(0.5, warm.at(10), 1e-15);
    assertEquals(9, Schedule.of(t -> (double) t * t).at(3));
    assertEquals(List.of(0.0), Stream.of(linear.at(10)).toList());
  }
}
