package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Gradients;
import org.fettle.NormLoss;
import org.fettle.Parameter;
import org.fettle.Perturbation;
import org.fettle.Schedule;
import org.fettle.StableMax;
import org.fettle.Tensor;
import org.fettle.WeightCompander;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Wrong calls are refused by name before anything is written. */
class PrimitivesMisuseTest {
  static Stream<Backend> backends() {
    return Machine.hostBackends().stream();
  }

  private static void refused(Executable call, String... words) {
    Throwable thrown = assertThrows(IllegalArgumentException.class, call);
    for (String word : words) {
      assertTrue(thrown.getMessage().contains(word), word + " in: " + thrown.getMessage());
    }
  }

  private static Tensor device() {
    return Tensor.ofAddress(4096, 64, null, Device.cuda(0), DType.F32, 3);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void gradients(Backend backend) {
    Gradients gradients = Gradients.on(backend);
    Gradients.Norm two = Gradients.Norm.TWO;
    Tensor g = Floats.tensor(1f, 2f, 3f);
    List<Tensor> list = List.of(g);
    for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused(() -> gradients.unscale(bad, list), "scale", "" + bad, "> 0");
      refused(() -> gradients.clipByGlobalNorm(bad, two, list), "maxNorm", "" + bad);
      refused(() -> gradients.clipByTensorNorm(bad, two, list), "maxNorm", "" + bad);
      refused(() -> gradients.clipByPixel(bad, Gradients.PixelClip.SOFT, list), "limit", "" + bad);
    }
    refused(() -> gradients.clipByValue(-1, list), "limit", "-1.0", "> 0");
    refused(() -> gradients.clipByValue(1, List.of(g, g)), "gradient 1 overlaps gradient 0");
    refused(
        () -> gradients.clipByPixel(1, Gradients.PixelClip.HARD, list), "gradient 0", "four axes");
    refused(() -> gradients.norm(two, List.of(Tensor.allocate(DType.BIT, 8))), "gradient 0", "BIT");
    refused(() -> gradients.norms(two, List.of(g, device())), "gradient 1", "cuda:0", "cpu");
    refused(() -> gradients.perpendicular(list, list, List.of()), "0 outputs", "expected 1");
    refused(
        () -> gradients.perpendicular(list, List.of(Floats.tensor(1f)), list),
        "gradient 0",
        "shape");
    refused(
        () -> gradients.perpendicular(list, List.of(Floats.tensor(1f, 2f, 3f)), list),
        "output 0",
        "overlaps");
    assertThrows(NullPointerException.class, () -> gradients.unscale(1, Arrays.asList(g, null)));
    assertArrayEquals(new float[] {1f, 2f, 3f}, Floats.of(g));
    assertThrows(NullPointerException.class, () -> Gradients.on(null));
    assertThrows(NullPointerException.class, () -> gradients.nonFinite(null));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void perturbations(Backend backend) {
    Tensor p = Floats.tensor(1f, 2f);
    Tensor g = Floats.tensor(1f, 2f);
    List<Parameter> one = List.of(Parameter.of(p, g).named("w"));
    refused(() -> Perturbation.sam(backend, -1, false, one), "rho", "-1.0", ">= 0");
    refused(() -> Perturbation.sam(backend, Double.NaN, true, one), "rho", "NaN");
    refused(() -> Perturbation.asam(backend, 1, -1, q -> true, one), "eta", "-1.0");
    refused(() -> Perturbation.sam(backend, 1, false, List.of(Parameter.of(p, p))), "overlaps");
    refused(
        () ->
            Perturbation.sam(
                backend, 1, false, List.of(Parameter.of(p, Floats.tensor(1f)).named("w"))),
        "tensor 0 (w).gradient",
        "[1]",
        "[2]");
    refused(() -> Perturbation.awp(backend, -1, List.of(p), List.of(g)), "gamma");
    refused(() -> Perturbation.awp(backend, 1, List.of(p), List.of()), "0 proxies", "1");
    refused(() -> Perturbation.awp(backend, 1, List.of(p), List.of(Floats.tensor(1f))), "proxy 0");
    refused(() -> Perturbation.awpDirection(backend, p, g, Floats.tensor(1f)), "output", "shape");
    refused(() -> Perturbation.awpDirection(backend, p, g, p), "output", "overlaps");
    assertArrayEquals(new float[] {1f, 2f}, Floats.of(p));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void losses(Backend backend) {
    Tensor x = Floats.tensor(new float[] {1f, 2f, 3f, 4f}, 2, 2);
    refused(() -> StableMax.crossEntropy(backend, x, new long[] {0}), "1 labels", "expected 2");
    refused(() -> StableMax.crossEntropy(backend, x, new long[] {0, 2}), "label 1 is 2", "0 to 1");
    refused(() -> StableMax.crossEntropy(backend, x, new long[] {-1, 0}, x), "label 0 is -1");
    refused(() -> StableMax.probabilities(backend, x, Floats.tensor(1f)), "output", "shape");
    refused(
        () -> StableMax.logProbabilities(backend, Tensor.allocate(DType.F32), device()), "output");
    Tensor scalar = Tensor.allocate(DType.F32);
    refused(
        () -> StableMax.logProbabilities(backend, scalar, scalar), "logits", "at least one axis");
    // One element further on in the same memory: neither the same tensor nor a separate one.
    ByteBuffer memory = ByteBuffer.allocateDirect(64);
    Tensor here = Tensor.of(memory.slice(0, 32), DType.F32, 2, 2);
    Tensor shifted = Tensor.of(memory.slice(4, 32), DType.F32, 2, 2);
    refused(() -> StableMax.probabilities(backend, here, shifted), "overlaps");
    NormLoss loss = new NormLoss(0.1);
    refused(() -> new NormLoss(-1), "lambda", "-1.0");
    refused(() -> loss.gradient(backend, x, Floats.tensor(1f)), "gradient");
    refused(() -> loss.addTo(backend, x, x), "overlaps");
    refused(() -> loss.decay(backend, -1, 0, x), "lr");
    refused(() -> loss.decay(backend, 1, Double.NaN, x), "eps");
    refused(() -> loss.loss(backend, device()), "weight", "cuda:0");
    assertArrayEquals(new float[] {1f, 2f, 3f, 4f}, Floats.of(x));
  }

  @ParameterizedTest
  @MethodSource("backends")
  void compander(Backend backend) {
    refused(() -> new WeightCompander(0, 1), "a is 0.0");
    refused(() -> new WeightCompander(1, -2), "b is -2.0");
    refused(() -> new WeightCompander(1e30, 1e-30), "a / b");
    refused(() -> new WeightCompander(1e-60, 1e-60), "b is 1.0E-60");
    WeightCompander compander = new WeightCompander(1, 1);
    Tensor x = Floats.tensor(0f, 1.6f);
    Tensor v = Floats.tensor(7f, 8f);
    refused(() -> compander.start(backend, x, v), "the largest weight is 1.6", "1.57");
    refused(() -> compander.start(backend, Floats.tensor(0f, Float.NaN), v), "the largest weight");
    refused(() -> compander.forward(backend, x, Floats.tensor(1f)), "weight", "shape");
    refused(() -> compander.backward(backend, x, v, x), "overlaps");
    refused(() -> compander.backward(backend, x, Floats.tensor(1f), v), "weightGradient");
    assertArrayEquals(new float[] {7f, 8f}, Floats.of(v));
  }

  @Test
  void schedules() {
    refused(() -> Schedule.constant(Double.NaN), "value");
    refused(() -> Schedule.linear(1, 0, 0), "steps is 0", ">= 1");
    refused(() -> Schedule.cosine(Double.POSITIVE_INFINITY, 0, 1), "start");
    refused(() -> Schedule.polynomial(1, 0, 10, 0), "power");
    refused(() -> Schedule.inverseSquareRoot(1, 0), "steps");
    refused(() -> Schedule.oneCycle(1, 1, 0.3, 25, 1e4), "steps is 1");
    refused(() -> Schedule.oneCycle(1, 10, 1, 25, 1e4), "warmupPart");
    refused(() -> Schedule.oneCycle(1, 10, 0.5, 0, 1e4), "startDivisor");
    refused(() -> Schedule.linear(1, 0, 10).at(-1), "t is -1");
    refused(() -> Schedule.constant(1).withWarmup(0), "steps");
    refused(() -> Schedule.constant(1).afterWarmup(5).at(-1), "t is -1");
  }
}
