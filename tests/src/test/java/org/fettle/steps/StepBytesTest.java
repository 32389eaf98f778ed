package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What steps keep, and options that bound it. */
class StepBytesTest {
  private static final int ROWS = 6;
  private static final int COLUMNS = 9;

  static List<Backend> backends() {
    return Machine.hostBackends();
  }

  private static Parameter parameter() {
    SplittableRandom random = new SplittableRandom(3);
    Tensor[] tensors = new Tensor[2];
    for (int k = 0; k < 2; k++) {
      tensors[k] = Tensor.allocate(DType.F32, ROWS, COLUMNS);
      for (int i = 0; i < ROWS * COLUMNS; i++) {
        tensors[k].buffer().putFloat(4 * i, (float) (random.nextDouble() - 0.5));
      }
    }
    return Parameter.of(tensors[0], tensors[1]);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void statesAreCounted(Backend backend) {
    long elements = ROWS * COLUMNS;
    try (Prodigy prodigy = new Prodigy(backend, new ProdigyOptions(), List.of(parameter()));
        Frugal frugal =
            new Frugal(backend, new FrugalOptions(), Frugal.Choice.COLUMNS, 1, parameter());
        Shampoo shampoo = new Shampoo(backend, new Shampoo.Options(), List.of(parameter()))) {
      assertEquals(4 * 4 * elements, prodigy.stateBytes());
      // Moments of two of nine columns, and the place of each column.
      assertEquals(2 * 4 * ROWS * 2 + 4 * COLUMNS, frugal.stateBytes());
      long statistics = 8 * (ROWS * ROWS + COLUMNS * COLUMNS);
      assertEquals(4 * elements + statistics, shampoo.stateBytes());
      shampoo.step();
      assertEquals(4 * elements + 2 * statistics, shampoo.stateBytes());
    }
    Muon closed = new Muon(backend, new MuonOptions(), List.of(parameter()));
    assertTrue(closed.stateBytes() >= 4 * elements);
    closed.close();
    assertThrows(IllegalStateException.class, closed::stateBytes);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void soapTurnsShortSidesOnly(Backend backend) {
    long moments = 2 * 4 * ROWS * COLUMNS;
    long side = 2 * 8 * ROWS * ROWS;
    SoapOptions options = new SoapOptions();
    for (long longest : new long[] {5, 6, 9}) {
      try (Soap soap = new Soap(backend, options.withMaxDimension(longest), List.of(parameter()))) {
        soap.step();
        assertEquals(longest >= 6 ? ROWS * ROWS : 0, soap.left(0).length);
        assertEquals(longest >= 9 ? COLUMNS * COLUMNS : 0, soap.right(0).length);
        long expected =
            moments + (longest >= 6 ? side : 0) + (longest >= 9 ? 2 * 8 * COLUMNS * COLUMNS : 0);
        assertEquals(expected, soap.stateBytes());
      }
    }
  }

  /** With both sides as they are, SOAP is Adam that skips its first call. */
  @ParameterizedTest
  @MethodSource("backends")
  void soapWithoutSidesIsAdam(Backend backend) {
    Parameter parameter = parameter();
    float before = parameter.value().buffer().getFloat(0);
    double g = parameter.gradient().buffer().getFloat(0);
    SoapOptions options = new SoapOptions().withLr(0.1).withWeightDecay(0).withMaxDimension(0);
    try (Soap soap = new Soap(backend, options, List.of(parameter))) {
      soap.step();
      assertEquals(before, parameter.value().buffer().getFloat(0));
      soap.step();
      double moved = before - 0.1 * Math.signum(g);
      assertEquals(moved, parameter.value().buffer().getFloat(0), 1e-5);
    }
  }

  @Test
  void options() {
    DhspgOptions options =
        DhspgOptions.of(DhspgOptions.Variant.ADAM, 0.1, 3, 0.5)
            .withPenalty(2, 3, 4)
            .withWeightDecay(0.25);
    assertEquals(2, options.lambda());
    assertEquals(3, options.lambdaAmplify());
    assertEquals(4, options.lambdaHatFactor());
    assertEquals(0.25, options.weightDecay());
    assertEquals(0.5, options.targetGroupSparsity());
    refused("maxDimension", () -> new SoapOptions().withMaxDimension(-1));
    refused("lambda", () -> options.withPenalty(-1, 3, 4));
    refused("lambdaAmplify", () -> options.withPenalty(1, Double.NaN, 4));
    refused("lambdaHatFactor", () -> options.withPenalty(1, 3, 0.5));
    refused("weightDecay", () -> options.withWeightDecay(-1));
  }

  private static void refused(String word, Runnable call) {
    String message = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(message.contains(word), message);
  }
}
