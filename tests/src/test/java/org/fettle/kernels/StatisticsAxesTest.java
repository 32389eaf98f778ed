package org.fettle.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.recipes.StatisticsQuantizer;
import org.junit.jupiter.api.Test;

/** StatsQ of three axes: a scale per entry of the second. */
class StatisticsAxesTest {
  private static final int FIRST = 3;
  private static final int SECOND = 2;
  private static final int LAST = 5;

  @Test
  void threeAxesShareScalesAlongTheFirstAndTheLast() {
    Backend backend = Backend.named("java");
    Tensor weight = Tensor.allocate(DType.F32, FIRST, SECOND, LAST);
    double[] means = new double[SECOND];
    for (int i = 0; i < weight.elements(); i++) {
      float value = (i % 7 - 3) * (i / LAST % SECOND + 1f);
      weight.buffer().putFloat(4 * i, value);
      means[i / LAST % SECOND] += Math.abs(value) / (double) (FIRST * LAST);
    }
    StatisticsQuantizer quantizer = new StatisticsQuantizer(2);
    Tensor scales = Tensor.allocate(DType.F32, SECOND);
    quantizer.scales(backend, weight, scales);
    Tensor levels = Tensor.allocate(DType.F32, FIRST, SECOND, LAST);
    quantizer.forward(backend, weight, scales, levels);
    Tensor frozen = Tensor.allocate(DType.F32, FIRST, SECOND, LAST);
    quantizer.freeze(backend, weight, scales, 0.2, frozen);
    for (int i = 0; i < weight.elements(); i++) {
      double scale = 2.0 * means[i / LAST % SECOND];
      assertEquals(scale, scales.buffer().getFloat(4 * (i / LAST % SECOND)), 1e-6 * scale);
      double x = weight.buffer().getFloat(4 * i) / scale;
      double code = Math.min(Math.max(x, -1.0), 1.0 - 1e-6) * 2.0 - 0.5;
      double expected = scale * (Math.rint(code) + 0.5) / 2.0;
      assertEquals(expected, levels.buffer().getFloat(4 * i), 1e-5 * scale, "element " + i);
      double beyond = Math.abs(code - Math.floor(code) - 0.5);
      boolean free = beyond <= 0.2 && code > -2.0 && code < 1.0;
      assertEquals(free ? 0f : 1f, frozen.buffer().getFloat(4 * i), "element " + i);
    }
  }
}
