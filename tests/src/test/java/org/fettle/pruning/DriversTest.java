package org.fettle.pruning;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.StructuredMasks;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Methods that are drivers over kernels and have no vectors of their authors: their properties. */
class DriversTest {
  static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  private static float[] normal(long seed, int n) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static double[] bits(long seed, int n) {
    Random random = new Random(seed);
    return IntStream.range(0, n).mapToDouble(i -> random.nextBoolean() ? 1 : 0).toArray();
  }

  private static double[] bits(Workbench bench, Tensor mask) {
    Tensor flags = bench.tensor(DType.U8, mask.shape());
    Masks.on(bench.backend()).unpack(mask, flags);
    byte[] bytes = bench.bytes(flags);
    return IntStream.range(0, bytes.length).mapToDouble(i -> bytes[i]).toArray();
  }

  @ParameterizedTest
  @MethodSource("backends")
  void everyWeightHasTheBitOfItsStructure(String backend) {
    int[][] shapes = {{1, 1, 1}, {6, 4, 9}, {6, 5, 1}, {96, 64, 9}, {12, 700, 3}};
    try (Workbench bench = new Workbench(backend)) {
      StructuredMasks masks = StructuredMasks.on(bench.backend());
      for (int[] shape : shapes) {
        int out = shape[0];
        int in = shape[1];
        int rest = in * shape[2];
        Tensor mask = bench.tensor(DType.BIT, out, in, shape[2]);
        double[] expected = new double[out * rest];

        double[] kept = bits(1, out);
        masks.outputs(bitTensor(bench, kept, out), mask);
        for (int i = 0; i < expected.length; i++) {
          expected[i] = kept[i / rest];
        }
        assertArrayEquals(expected, bits(bench, mask));

        kept = bits(2, in);
        masks.inputs(bitTensor(bench, kept, in), mask);
        for (int i = 0; i < expected.length; i++) {
          expected[i] = kept[i / shape[2] % in];
        }
        assertArrayEquals(expected, bits(bench, mask));

        int heads = out % 3 == 0 ? 3 : 1;
        kept = bits(3, heads);
        masks.heads(bitTensor(bench, kept, heads), mask);
        for (int i = 0; i < expected.length; i++) {
          expected[i] = kept[i / rest / (out / heads)];
        }
        assertArrayEquals(expected, bits(bench, mask));

        for (int size : new int[] {1, 4, 7, 5000}) {
          int across = (rest + size - 1) / size;
          int down = (out + size - 1) / size;
          kept = bits(size, down * across);
          masks.blocks(bitTensor(bench, kept, down, across), size, mask);
          for (int i = 0; i < expected.length; i++) {
            expected[i] = kept[i / rest / size * across + i % rest / size];
          }
          assertArrayEquals(expected, bits(bench, mask));
        }
      }
    }
  }

  private static Tensor bitTensor(Workbench bench, double[] values, long... shape) {
    Tensor tensor = bench.tensor(DType.BIT, shape);
    bench.putBits(tensor, values);
    return tensor;
  }

  @Test
  void structuresRefuseWhatDoesNotFit() {
    try (Workbench bench = new Workbench("java")) {
      StructuredMasks masks = StructuredMasks.on(bench.backend());
      Tensor mask = bench.tensor(DType.BIT, 6, 4);
      Tensor five = bench.tensor(DType.BIT, 5);
      refused(() -> masks.outputs(five, mask), "kept", "6");
      refused(() -> masks.inputs(five, mask), "kept", "4");
      refused(() -> masks.heads(five, mask), "5 heads");
      refused(() -> masks.blocks(five, 0, mask), "block size is 0");
      refused(() -> masks.blocks(five, 2, mask), "kept", "3");
      refused(() -> masks.inputs(five, bench.tensor(DType.BIT, 6)), "mask", "2 axes");
      refused(() -> masks.outputs(bench.tensor(DType.F32, 6), mask), "kept", "BIT");
    }
  }

  @Test
  void attacksAreTheSameEverywhereAndStayWithinBounds() {
    for (int n : new int[] {1, 17, 4097}) {
      float[] x = normal(1, n);
      float[] g = normal(2, n);
      x[0] = Float.NaN;
      g[n / 2] = 0f;
      float[] expected = new float[n];
      for (int i = 0; i < n; i++) {
        float moved = Math.fma(0.03125f, Math.signum(g[i]), x[i]);
        expected[i] = moved < 0f ? 0f : moved > 1f ? 1f : moved;
      }
      for (String backend : backends()) {
        try (Workbench bench = new Workbench(backend)) {
          FeatureMapPruning method = new FeatureMapPruning(bench.backend());
          Tensor input = bench.tensor(x, n);
          Tensor out = bench.tensor(DType.F32, n);
          method.attack(input, bench.tensor(g, n), 0.03125, 0, 1, out);
          assertArrayEquals(expected, bench.floats(out), backend);
          method.attack(input, bench.tensor(g, n), 0.03125, 0, 1, input);
          assertArrayEquals(expected, bench.floats(input), backend);
          refused(() -> method.attack(input, out, -1, 0, 1, out), "eps is -1.0");
          refused(() -> method.attack(input, out, 1, 0, -1, out), "high is -1.0");
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void theWeakestMapsGo(String backend) {
    int maps = 130;
    try (Workbench bench = new Workbench(backend)) {
      FeatureMapPruning method = new FeatureMapPruning(bench.backend());
      float[] accuracies = normal(4, maps);
      Tensor kept = bench.tensor(DType.BIT, maps);
      assertEquals(2, method.choose(bench.tensor(accuracies, maps), 64, kept));
      double[] stays = bits(bench, kept);
      double best = Double.NEGATIVE_INFINITY;
      double worst = Double.POSITIVE_INFINITY;
      for (int i = 0; i < maps; i++) {
        if (stays[i] == 0) {
          best = Math.max(best, accuracies[i]);
        } else {
          worst = Math.min(worst, accuracies[i]);
        }
      }
      assertTrue(best < worst);
      Tensor filter = bench.tensor(normal(5, maps * 9), maps, 9);
      Tensor scale = bench.tensor(normal(6, maps), maps);
      method.zero(kept, filter, bench.tensor(DType.BIT, maps, 9), scale);
      float[] weights = bench.floats(filter);
      for (int i = 0; i < weights.length; i++) {
        assertEquals(stays[i / 9] == 0, weights[i] == 0f, "weight " + i);
      }
      assertEquals(
          2, IntStream.range(0, maps).filter(i -> floatsAt(bench, scale, i) == 0f).count());
      refused(() -> method.choose(scale, 0, kept), "share is 0");
      Tensor mask = bench.tensor(DType.BIT, maps, 9);
      refused(() -> method.zero(kept, filter, mask, bench.tensor(DType.F32, 3)), "scale");
      assertEquals(0, Masks.on(bench.backend()).count(mask), "nothing was written");
    }
  }

  private static float floatsAt(Workbench bench, Tensor tensor, int i) {
    return bench.floats(tensor)[i];
  }

  @ParameterizedTest
  @MethodSource("backends")
  void superTicketsComeBackToLife(String backend) {
    try (Workbench bench = new Workbench(backend)) {
      SuperTicket method = new SuperTicket(bench.backend());
      List<Tensor> weights = new ArrayList<>();
      List<Tensor> masks = new ArrayList<>();
      List<Tensor> views = new ArrayList<>();
      for (int n : new int[] {300, 701}) {
        weights.add(bench.tensor(normal(n, n), n));
        masks.add(bench.tensor(DType.BIT, n));
        views.add(bench.tensor(DType.F32, n));
      }
      for (double sparsity : new double[] {0.3, 0.8}) {
        long pruned = (long) Math.floor(sparsity * 1001);
        assertEquals(1001 - pruned, method.prune(sparsity, weights, masks).kept());
        method.view(weights, masks, views);
        long zeros = 0;
        for (int i = 0; i < 2; i++) {
          int n = (int) weights.get(i).elements();
          assertArrayEquals(normal(n, n), bench.floats(weights.get(i)));
          for (float value : bench.floats(views.get(i))) {
            zeros += value == 0f ? 1 : 0;
          }
        }
        assertEquals(pruned, zeros);
        method.reactivate(masks);
        assertEquals(701, Masks.on(bench.backend()).count(masks.get(1)));
      }
      refused(() -> method.prune(1.5, weights, masks), "sparsity is 1.5");
      float[] seen = bench.floats(views.get(0));
      Tensor small = bench.tensor(DType.BIT, 5);
      refused(() -> method.view(weights, List.of(masks.get(0), small), views), "mask 1");
      assertArrayEquals(seen, bench.floats(views.get(0)));
      refused(() -> method.view(weights, masks, List.of(views.get(0), views.get(0))), "view 1");
      refused(() -> method.reactivate(List.of(masks.get(0), weights.get(0))), "mask 1");
      refused(() -> method.view(weights, masks, weights), "overlaps weight");
      refused(() -> method.view(weights, masks, List.of()), "0 views");
    }
  }

  @Test
  void depthIsExactWhereCostsAddUp() {
    Random random = new Random(7);
    double[] cost = random.doubles(8).toArray();
    List<DepthSelection.Choice> choices =
        DepthSelection.choose(8, 5, gone -> gone.stream().mapToDouble(i -> cost[i]).sum());
    assertEquals(6, choices.size());
    for (int removed = 0; removed <= 5; removed++) {
      double best = Double.POSITIVE_INFINITY;
      for (int set = 0; set < 256; set++) {
        if (Integer.bitCount(set) == removed) {
          double sum = 0;
          for (int i = 0; i < 8; i++) {
            sum += (set >> i & 1) * cost[i];
          }
          best = Math.min(best, sum);
        }
      }
      assertEquals(best, choices.get(removed).metric(), 1e-12);
      assertEquals(removed, choices.get(removed).removed().size());
    }
    assertEquals(
        List.of(1),
        DepthSelection.choose(3, 1, gone -> gone.contains(1) || gone.isEmpty() ? 1 : Double.NaN)
            .get(1)
            .removed());
    refused(() -> DepthSelection.choose(3, 4, gone -> 0), "mostRemoved is 4");
  }

  @ParameterizedTest
  @MethodSource("backends")
  void fluctuationIsThatOfAllTokens(String backend) {
    int columns = 12;
    int tokens = 50;
    try (Workbench bench = new Workbench(backend)) {
      FluctuationPruning method = new FluctuationPruning(bench.backend());
      float[] x = normal(1, tokens * columns);
      float[] w = normal(2, 5 * columns);
      FluctuationPruning.Columns layer = method.addLayer(bench.tensor(w, 5, columns), 1, 1);
      for (int first = 0, n = 1; first < tokens; first += n, n = Math.min(n + 6, tokens - first)) {
        float[] part = java.util.Arrays.copyOfRange(x, first * columns, (first + n) * columns);
        layer.observe(bench.tensor(part, n, columns));
      }
      assertEquals(tokens, layer.tokens());
      for (int j = 0; j < columns; j++) {
        double mean = 0;
        double square = 0;
        double norm = 0;
        for (int i = 0; i < tokens; i++) {
          mean += x[i * columns + j] / (double) tokens;
        }
        for (int i = 0; i < tokens; i++) {
          square += Math.pow(x[i * columns + j] - mean, 2) / tokens;
        }
        for (int i = 0; i < 5; i++) {
          norm += w[i * columns + j] * (double) w[i * columns + j];
        }
        assertEquals(mean, layer.mean()[j], 1e-12);
        assertEquals(square, layer.fluctuation()[j], 1e-12);
        assertEquals(square * norm, layer.scores()[j], 1e-10);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void oneThresholdOverChannelsAndHeads(String backend) {
    try (Workbench bench = new Workbench(backend)) {
      FluctuationPruning method = new FluctuationPruning(bench.backend());
      float[] w = normal(3, 8 * 24);
      FluctuationPruning.Columns channels = method.addLayer(bench.tensor(w, 8, 24), 1, 1);
      FluctuationPruning.Columns heads =
          method.addLayer(bench.tensor(normal(4, 8 * 32), 8, 32), 8, 4);
      Tensor keptChannels = bench.tensor(DType.BIT, 24);
      Tensor keptHeads = bench.tensor(DType.BIT, 32);
      List<Tensor> kept = List.of(keptChannels, keptHeads);
      assertThrows(IllegalStateException.class, () -> method.choose(0.5, kept));
      channels.observe(bench.tensor(normal(5, 40 * 24), 40, 24));
      heads.observe(bench.tensor(normal(6, 40 * 32), 40, 32));
      method.choose(0.5, kept);
      double[] ofHeads = bits(bench, keptHeads);
      double cost = 0;
      for (int j = 0; j < 32; j++) {
        assertEquals(ofHeads[j / 8 * 8], ofHeads[j], "a head stays whole");
        cost += ofHeads[j] * 4 / 8;
      }
      double[] ofChannels = bits(bench, keptChannels);
      for (double one : ofChannels) {
        cost += one;
      }
      // The threshold's own unit goes: at most the dearest one and half of it from the aim.
      assertEquals(20, cost, 6);

      Tensor bias = bench.tensor(DType.F32, 8);
      channels.compensate(keptChannels, bias);
      float[] got = bench.floats(bias);
      for (int i = 0; i < 8; i++) {
        double expected = 0;
        for (int j = 0; j < 24; j++) {
          expected += (1 - ofChannels[j]) * channels.mean()[j] * w[i * 24 + j];
        }
        assertEquals(expected, got[i], 1e-6);
      }
      refused(() -> method.choose(1, kept), "sparsity is 1.0");
      refused(() -> method.choose(0.5, List.of()), "0 masks");
      refused(() -> method.addLayer(bias, 1, 1), "weight");
      refused(() -> method.addLayer(bench.tensor(DType.F32, 2, 6), 4, 1), "perUnit is 4");
      refused(() -> channels.observe(bias), "inputs");
      refused(() -> channels.compensate(keptHeads, bias), "kept");
    }
  }

  private static void refused(Executable call, String... parts) {
    Throwable error = assertThrows(IllegalArgumentException.class, call);
    for (String part : parts) {
      assertTrue(error.getMessage().contains(part), error.getMessage());
    }
  }
}
