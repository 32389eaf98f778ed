package org.fettle.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import org.fettle.Tensor;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Test;

class DjlTest {
  private static NDManager manager() {
    return NDManager.newBaseManager(Device.cpu());
  }

  @Test
  void trainsInTheArrayItself() {
    try (NDManager manager = manager();
        DjlOptimizer optimizer = new DjlOptimizer(new AdamW().withLr(0.05))) {
      NDArray x = manager.randomNormal(new Shape(64, 8));
      NDArray wanted = x.matMul(manager.randomNormal(new Shape(8, 2)));
      NDArray weight = manager.zeros(new Shape(8, 2));
      weight.setRequiresGradient(true);
      float first = 0;
      float last = 0;
      for (int i = 0; i < 100; i++) {
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
          NDArray loss = x.matMul(weight).sub(wanted).square().mean();
          collector.backward(loss);
          last = loss.getFloat();
          first = i == 0 ? last : first;
        }
        optimizer.update("weight", weight, weight.getGradient());
        weight.getGradient().subi(weight.getGradient());
      }
      // DJL saw every step in the array itself, so nothing was copied.
      assertTrue(last < 0.2f * first, "loss from " + first + " to " + last);
      assertEquals(100, optimizer.plan("weight").stepCount(0));
    }
  }

  @Test
  void aStepIsSeenByDjlAtOnce() {
    try (NDManager manager = manager();
        DjlOptimizer optimizer = new DjlOptimizer(new Sgd().withLr(1))) {
      NDArray weight = manager.create(new float[] {1, 2, 3});
      NDArray gradient = manager.create(new float[] {2, 0, -4});
      optimizer.setLearningRate(0.5);
      optimizer.update("w", weight, gradient);
      assertArrayEquals(new float[] {0, 2, 5}, weight.toFloatArray());
      NDArray other = manager.create(new float[] {1, 2, 3});
      Throwable error =
          assertThrows(
              IllegalArgumentException.class, () -> optimizer.update("w", other, gradient));
      assertTrue(error.getMessage().contains("w has moved"), error.getMessage());
    }
  }

  @Test
  void viewsTellTypeAndShape() {
    try (NDManager manager = manager()) {
      NDArray doubles = manager.zeros(new Shape(2, 3), DataType.FLOAT64);
      Tensor view = DjlTensors.of("doubles", doubles);
      assertEquals("F64[2, 3] on cpu", view.toString());
      assertEquals(view.address(), DjlTensors.of("doubles", doubles).address());
    }
  }

  @Test
  void refusesWhatWouldBeCopied() {
    try (NDManager manager = manager()) {
      NDArray transposed = manager.arange(12f).reshape(3, 4).transpose();
      Throwable error =
          assertThrows(IllegalArgumentException.class, () -> DjlTensors.of("t", transposed));
      assertTrue(error.getMessage().contains("t would be copied"), error.getMessage());
      NDArray flags = manager.zeros(new Shape(3), DataType.BOOLEAN);
      error = assertThrows(IllegalArgumentException.class, () -> DjlTensors.of("flags", flags));
      assertTrue(error.getMessage().contains("flags has type"), error.getMessage());
      NDArray closed = manager.zeros(new Shape(3));
      closed.close();
      assertThrows(IllegalArgumentException.class, () -> DjlTensors.of("closed", closed));
      assertThrows(IllegalArgumentException.class, () -> DjlTensors.of("nothing", null));
    }
  }
}
