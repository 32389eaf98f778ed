package org.fettle.pruning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.NmPattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The same bits of the steps under a mask on every backend, and what they refuse. */
class MaskedStepsTest {
  private static final int[] SIZES = {0, 1, 7, 16, 511, 513, 4096, 4100, 10_000};

  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  private static float[] values(long seed, int n) {
    Random random = new Random(seed);
    float[] special = {0f, -0f, Float.MIN_VALUE, Float.POSITIVE_INFINITY, Float.NaN, -1e38f};
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] =
          random.nextInt(29) == 0
              ? special[random.nextInt(special.length)]
              : (float) random.nextGaussian();
    }
    return values;
  }

  private interface Run {
    List<float[]> on(Workbench bench, int n);
  }

  private static void assertSame(Run run) {
    for (int n : SIZES) {
      List<float[]> expected = null;
      for (String backend : backends()) {
        try (Workbench bench = new Workbench(backend)) {
          List<float[]> actual = run.on(bench, n);
          expected = expected == null ? actual : expected;
          for (int k = 0; k < actual.size(); k++) {
            assertArrayEquals(expected.get(k), actual.get(k), backend + ", " + n + ", array " + k);
          }
        }
      }
    }
  }

  @Test
  void srSteIsTheSameEverywhere() {
    assertSame(
        (bench, size) -> {
          int n = size / 4 * 4;
          SrSte method = new SrSte(new NmPattern(2, 4), 2e-4, 0.1, 0.9, 1e-4);
          Tensor weight = bench.tensor(values(1, n), n / 4, 4);
          Tensor gradient = bench.tensor(values(2, n), n / 4, 4);
          Tensor buffer = bench.tensor(values(3, n), n / 4, 4);
          Tensor sparse = bench.tensor(DType.F32, n / 4, 4);
          Tensor mask = bench.tensor(DType.BIT, n / 4, 4);
          method.forward(bench.backend(), weight, mask, sparse);
          method.step(bench.backend(), weight, gradient, buffer, mask);
          return List.of(bench.floats(weight), bench.floats(buffer), bench.floats(sparse));
        });
  }

  @Test
  void biPIsTheSameEverywhere() {
    assertSame(
        (bench, n) -> {
          BiP method = new BiP(0.4, 0.1, 0.1, 0.1);
          Tensor weight = bench.tensor(values(1, n), n);
          Tensor score = bench.tensor(values(2, n), n);
          Tensor gradient = bench.tensor(values(3, n), n);
          Tensor out = bench.tensor(DType.F32, n);
          Tensor mask = bench.tensor(DType.BIT, n);
          if (n > 0) {
            method.choose(bench.backend(), List.of(score), List.of(mask));
          }
          method.lower(bench.backend(), weight, gradient, mask);
          method.derivedGradient(bench.backend(), weight, gradient, mask, out);
          method.upper(bench.backend(), score, weight, gradient);
          return List.of(bench.floats(weight), bench.floats(score), bench.floats(out));
        });
  }

  @Test
  void ticketsRemoveWhatTheySay() {
    for (String backend : backends()) {
      try (Workbench bench = new Workbench(backend)) {
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> masks = new ArrayList<>();
        for (int n : new int[] {400, 601}) {
          Random random = new Random(n);
          float[] start = new float[n];
          for (int i = 0; i < n; i++) {
            start[i] = (float) random.nextGaussian();
          }
          weights.add(bench.tensor(start, n));
          Tensor mask = bench.tensor(DType.BIT, n);
          Masks.on(bench.backend()).fill(mask, true);
          masks.add(mask);
        }
        LotteryTicket exact = new LotteryTicket(bench.backend(), 0.2, LotteryTicket.Count.EXACT);
        assertEquals(1001 - 201, exact.prune(weights, masks).left());
        assertEquals(800 - 160, exact.prune(weights, masks).left());
        LotteryTicket authors =
            new LotteryTicket(bench.backend(), 0.2, LotteryTicket.Count.OPEN_LTH);
        assertEquals(640 - 128 - 1, authors.prune(weights, masks).left());
        exact.rewind(weights, masks, weights);
        int zeros = 0;
        for (Tensor weight : weights) {
          for (float value : bench.floats(weight)) {
            zeros += value == 0f ? 1 : 0;
          }
        }
        assertEquals(1001 - 511, zeros);
      }
    }
  }

  @Test
  void refusesBadInput() {
    Backend backend = Backend.named("java");
    Tensor weight = Tensor.allocate(DType.F32, 4, 6);
    Tensor mask = Tensor.allocate(DType.BIT, 4, 6);
    Tensor other = Tensor.allocate(DType.F32, 4, 5);
    refused(() -> new SrSte(new NmPattern(2, 4), -1, 0.1, 0.9, 0), "lambda is -1.0");
    refused(() -> new SrSte(new NmPattern(2, 4), 0.1).forward(backend, weight, mask, weight), "4");
    SrSte fits = new SrSte(new NmPattern(1, 2), 0.1);
    Tensor buffer = Tensor.allocate(DType.F32, 4, 6);
    refused(() -> fits.step(backend, weight, other, buffer, mask), "gradient", "4");
    refused(() -> new Bdwp(new NmPattern(1, 4)).masks(backend, weight, mask, mask), "axis 1", "6");
    refused(() -> new LotteryTicket(backend, 1, LotteryTicket.Count.EXACT), "fraction is 1.0");
    refused(
        () ->
            new RigL(
                    backend,
                    new RigL.Options(0.3, 2, 8),
                    List.of(new PrunedLayer(weight, mask, null, null)))
                .update(3, List.of(weight)),
        "step 3");
    refused(() -> new GraNet.Options(0.5, 0.005, 8, 0, 1, 0.1, 0, 8), "updateFrequency is 0");
    refused(() -> new GraNet.Options(0.5, 0.005, 8, 2, 0.1, 0.5, 0, 8), "finalDensity is 0.5");
    refused(
        () ->
            new GraNet(
                backend,
                new GraNet.Options(0.5, 0.005, 8, 2, 1, 0.5, 0, 8),
                List.of(new PrunedLayer(weight, mask, null, null))),
        "layer 0 has no gradient");
    refused(() -> new CubicSchedule(0, 0.9, 0, 0, 100), "updates is 0");
    refused(
        () -> new ErdosRenyi(1, false).densities(List.of(new long[] {3}), 0.5), "shape 0", "axes");
  }

  @Test
  void solversRefuseBadInput() {
    Backend backend = Backend.named("java");
    Tensor weight = Tensor.allocate(DType.F32, 3, 8);
    Tensor hessian = Tensor.allocate(DType.F32, 7, 7);
    Tensor mask = Tensor.allocate(DType.BIT, 3, 8);
    SparseGpt solver =
        new SparseGpt(backend, new SparseGpt.Options(LayerPattern.unstructured(0.5)));
    refused(() -> solver.prune(weight, hessian, weight, mask, Progress.NONE), "hessian", "8 x 8");
    Tensor negative = Tensor.allocate(DType.F32, 8, 8);
    negative.buffer().asFloatBuffer().put(0, -1f);
    Throwable error =
        assertThrows(
            ArithmeticException.class,
            () -> solver.prune(weight, negative, weight, mask, Progress.NONE));
    assertTrue(error.getMessage().contains("not positive definite"), error.getMessage());
    refused(
        () ->
            new Wanda(backend, LayerPattern.groups(2, 3))
                .choose(weight, Tensor.allocate(DType.F32, 8), weight, mask),
        "8 columns",
        "3");
  }

  private static void refused(Executable call, String... parts) {
    Throwable error = assertThrows(IllegalArgumentException.class, call);
    for (String part : parts) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }
}
