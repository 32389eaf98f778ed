package org.fettle.pytorch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.LinearImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PyTorchOptimizerTest {
  @BeforeAll
  static void load() {
    Loader.load(torch.class);
    torch.manual_seed(1);
  }

  @Test
  void trainsALayerInItsOwnMemory() {
    LinearImpl layer = new LinearImpl(16, 4);
    TensorVector parameters = layer.parameters();
    long weightAddress = parameters.get(0).data_ptr().address();
    Tensor x = torch.randn(64, 16);
    Tensor wanted = torch.randn(64, 4);
    float first = 0;
    float last = 0;
    try (PyTorchOptimizer optimizer = new PyTorchOptimizer(new AdamW().withLr(0.05), parameters)) {
      for (int i = 0; i < 60; i++) {
        optimizer.zeroGrad();
        Tensor loss = torch.mse_loss(layer.forward(x), wanted);
        loss.backward();
        optimizer.step();
        last = loss.item_float();
        first = i == 0 ? last : first;
      }
      assertEquals(
          weightAddress, optimizer.plan().parameter(0).value().address(), "the parameter's memory");
      assertEquals(60, optimizer.plan().stepCount(0));
    }
    assertEquals(weightAddress, layer.parameters().get(0).data_ptr().address());
    assertTrue(last < 0.75f * first, "loss from " + first + " to " + last);
  }

  @Test
  void updatesAsLibtorchDoes() {
    float[] start = {1, -2, 3, 0.5f, -0.25f, 8, -1e-3f, 0};
    float[] gradient = {0.1f, -0.2f, 4, 0, -1e-4f, 2, 1, -3};
    Tensor parameter = tensor(start).requires_grad_(true);
    parameter.mutable_grad().put(tensor(gradient));
    try (PyTorchOptimizer optimizer =
        new PyTorchOptimizer(new Sgd().withLr(0.5), new TensorVector(parameter))) {
      optimizer.step();
    }
    float[] expected = new float[start.length];
    for (int i = 0; i < start.length; i++) {
      expected[i] = Math.fma(-0.5f, gradient[i], start[i]);
    }
    assertArrayEquals(expected, values(parameter));
  }

  @Test
  void leavesParametersWithoutGradientAlone() {
    Tensor parameter = tensor(1, 2, 3).requires_grad_(true);
    try (PyTorchOptimizer optimizer =
        new PyTorchOptimizer(new AdamW(), new TensorVector(parameter))) {
      optimizer.step();
      assertArrayEquals(new float[] {1, 2, 3}, values(parameter));
      assertEquals(0, optimizer.plan().stepCount(0));
    }
  }

  @Test
  void refusesWhatItCannotView() {
    Tensor transposed = torch.randn(3, 5).t();
    Throwable error =
        assertThrows(IllegalArgumentException.class, () -> PyTorchTensors.of("weight", transposed));
    assertTrue(error.getMessage().contains("weight is not contiguous"), error.getMessage());
    Tensor flags = torch.gt(torch.randn(4), new Scalar(0f));
    error = assertThrows(IllegalArgumentException.class, () -> PyTorchTensors.of("flags", flags));
    assertTrue(error.getMessage().contains("flags has type Bool"), error.getMessage());
    error =
        assertThrows(
            IllegalArgumentException.class, () -> PyTorchTensors.of("nothing", new Tensor()));
    assertTrue(error.getMessage().contains("nothing is undefined"), error.getMessage());
  }

  private static Tensor tensor(float... values) {
    return torch.tensor(values);
  }

  private static float[] values(Tensor tensor) {
    float[] values = new float[(int) tensor.numel()];
    new FloatPointer(tensor.data_ptr_float()).get(values);
    return values;
  }
}
