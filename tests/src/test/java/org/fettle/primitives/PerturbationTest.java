package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Perturbation;
import org.fettle.Tensor;
import org.fettle.testkit.Machine;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Ascents and exact restoration. */
class PerturbationTest {
  static Stream<Backend> backends() {
    return Machine.hostBackends().stream();
  }

  private static List<Parameter> parameters(SplittableRandom random) {
    List<Parameter> parameters = new ArrayList<>();
    for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
      for (int size : new int[] {0, 1, 513, 70_001}) {
        Tensor value = Tensor.allocate(dtype, size);
        // Any bits at all, NaN with payloads among them.
        for (int i = 0; i < value.bytes(); i++) {
          value.buffer().put(i, (byte) random.nextInt());
        }
        float[] gradient = new float[size];
        for (int i = 0; i < size; i++) {
          gradient[i] = (float) random.nextGaussian();
        }
        parameters.add(Parameter.of(value, Floats.tensor(gradient)));
      }
    }
    return parameters;
  }

  private static byte[] bytes(Parameter parameter) {
    byte[] bytes = new byte[(int) parameter.value().bytes()];
    parameter.value().buffer().get(bytes);
    return bytes;
  }

  @ParameterizedTest
  @MethodSource("backends")
  void restoresEveryBit(Backend backend) {
    SplittableRandom random = new SplittableRandom(7);
    List<Parameter> parameters = parameters(random);
    List<byte[]> before = parameters.stream().map(PerturbationTest::bytes).toList();
    List<Perturbation> kinds =
        List.of(
            Perturbation.sam(backend, 0.05, false, parameters),
            Perturbation.sam(backend, 1, true, parameters),
            Perturbation.asam(backend, 0.5, 0.01, p -> p.value().elements() > 600, parameters));
    for (Perturbation perturbation : kinds) {
      for (int round = 0; round < 2; round++) {
        perturbation.ascend();
        assertTrue(perturbation.isPerturbed());
        perturbation.restore();
        for (int i = 0; i < before.size(); i++) {
          assertArrayEquals(before.get(i), bytes(parameters.get(i)));
        }
      }
      // Closing restores too.
      perturbation.ascend();
      perturbation.close();
      perturbation.close();
      for (int i = 0; i < before.size(); i++) {
        assertArrayEquals(before.get(i), bytes(parameters.get(i)));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void zeroGradientsMoveNothing(Backend backend) {
    Tensor value = Floats.tensor(1f, -2f, 3e-5f);
    List<Parameter> parameters = List.of(Parameter.of(value, Floats.tensor(0f, 0f, 0f)));
    try (Perturbation sam = Perturbation.sam(backend, 0.05, false, parameters);
        Perturbation asam = Perturbation.asam(backend, 1e30, 0, p -> true, parameters)) {
      assertEquals(0, sam.ascend());
      assertArrayEquals(new float[] {1f, -2f, 3e-5f}, Floats.of(value));
      sam.restore();
      assertEquals(0, asam.ascend());
      assertArrayEquals(new float[] {1f, -2f, 3e-5f}, Floats.of(value));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void leavesAloneWhatHasNoGradientOrOneAxis(Backend backend) {
    Tensor with = Floats.tensor(1f, 2f);
    Tensor without = Floats.tensor(5f);
    try (Perturbation sam =
        Perturbation.sam(
            backend,
            1,
            false,
            List.of(Parameter.of(with, Floats.tensor(3f, 4f)), Parameter.of(without, null)))) {
      assertEquals(5, sam.ascend());
      assertArrayEquals(new float[] {1.6f, 2.8f}, Floats.of(with), 1e-6f);
      assertArrayEquals(new float[] {5f}, Floats.of(without));
    }
    Tensor bias = Floats.tensor(1f, 2f);
    try (Perturbation awp =
        Perturbation.awp(backend, 1, List.of(bias), List.of(Floats.tensor(9f, 9f)))) {
      awp.ascend();
      assertArrayEquals(new float[] {1f, 2f}, Floats.of(bias));
      assertEquals(0, awp.savedBytes());
    }
    Tensor still = Floats.tensor(new float[] {1f, 2f}, 2, 1);
    try (Perturbation awp =
        Perturbation.awp(
            backend, 1, List.of(still), List.of(Floats.tensor(new float[] {1f, 2f}, 2, 1)))) {
      awp.ascend();
      assertArrayEquals(new float[] {1f, 2f}, Floats.of(still));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void refusesTheWrongOrder(Backend backend) {
    List<Parameter> parameters = List.of(Parameter.of(Floats.tensor(1f), Floats.tensor(1f)));
    Perturbation sam = Perturbation.sam(backend, 1, false, parameters);
    assertThrows(IllegalStateException.class, sam::restore);
    sam.ascend();
    assertThrows(IllegalStateException.class, sam::ascend);
    sam.restore();
    assertFalse(sam.isPerturbed());
    sam.close();
    assertThrows(IllegalStateException.class, sam::ascend);
  }
}
