package org.fettle.merge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.averages.ForcedWeightNorm;
import org.fettle.averages.Lookahead;
import org.fettle.averages.MovingAverage;
import org.fettle.averages.StochasticWeightAverage;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Averages and merges give the same bits on every backend, for any size, format and thread count.
 */
class MergeBitsTest {
  private static final float[] SPECIAL = {
    Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -0f, 0f, Float.MIN_VALUE, 3e38f
  };

  /** What is computed on a workbench: bits of all results, one behind the other. */
  private interface Work {
    List<float[]> run(Workbench bench);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 511, 512, 513, 4095, 4096, 4097, 10000})
  void mergesAgree(int size) {
    for (int models : new int[] {2, 3, 9, 14}) {
      for (boolean special : new boolean[] {false, true}) {
        same("merge of " + models, bench -> merges(bench, size, models, special));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 511, 512, 513, 4095, 4096, 4097, 10000})
  void averagesAgree(int size) {
    same("averages", bench -> averages(bench, size));
  }

  @Test
  void blocksAndThreadsDoNotShow() {
    int size = 300_001;
    same(
        "large",
        bench -> {
          List<Tensor> models = models(bench, size, 14, false, DType.F32);
          Tensor out = bench.tensor(DType.F32, size);
          LinearCombination.mean(bench.backend(), models, out);
          Tensor stock = bench.tensor(DType.F32, size);
          new ModelStock().merge(bench.backend(), models.get(0), models.subList(1, 5), stock);
          return List.of(bench.floats(out), bench.floats(stock));
        });
  }

  private static List<float[]> merges(Workbench bench, int size, int count, boolean special) {
    Backend backend = bench.backend();
    List<float[]> results = new ArrayList<>();
    List<Tensor> models = models(bench, size, count, special, DType.F32);
    List<Tensor> halves = models(bench, size, count, special, DType.BF16);
    Tensor base = models(bench, size, 1, false, DType.F32).get(0);
    List<Tensor> weights = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      float[] values = values(size, 100 + k, special && k == 1);
      for (int i = 0; i < size; i++) {
        values[i] = i % 11 == 3 ? 0f : Math.abs(values[i]) * 1e-5f;
      }
      weights.add(bench.tensor(values, size));
    }
    Tensor out = bench.tensor(DType.F32, size);
    Tensor half = bench.tensor(DType.BF16, size);
    double[] coefficients = IntStream.range(0, count).mapToDouble(k -> 1.5 - 0.3 * k).toArray();
    LinearCombination.combine(backend, models, coefficients, out);
    results.add(bench.floats(out));
    LinearCombination.mean(backend, halves, half);
    results.add(codes(bench, half));
    LinearCombination.mean(backend, halves, out);
    results.add(bench.floats(out));
    for (boolean filterWise : new boolean[] {false, true}) {
      ModelStock stock = new ModelStock().withFilterWise(filterWise);
      ModelStock.Result result = stock.merge(backend, base, models, out);
      results.add(bench.floats(out));
      result.ratios().forEach(ratio -> results.add(bits(ratio)));
    }
    FisherMerge fisher =
        new FisherMerge(IntStream.range(0, count).mapToObj(k -> 0.5 + k).toList(), 0, true, true);
    long undecided =
        fisher.merge(
            backend,
            models.stream().map(List::of).toList(),
            weights.stream().map(List::of).toList(),
            List.of(out));
    results.add(bits((double) undecided));
    results.add(bench.floats(out));
    new GradientMatchingMerge(count).merge(backend, base, weights.get(0), models, weights, out);
    results.add(bench.floats(out));
    results.add(bits(VarianceCorrectedAverage.average(backend, models, out)));
    results.add(bench.floats(out));
    Adasum.combine(backend, models, out);
    results.add(bench.floats(out));
    if (!special) {
      for (double distance : Monna.mean(backend, models, count / 3, 1, out)) {
        results.add(bits(distance));
      }
      results.add(bench.floats(out));
    }
    // In place of one of the models.
    LinearCombination.combine(backend, models, coefficients, models.get(1));
    results.add(bench.floats(models.get(1)));
    return results;
  }

  private static List<float[]> averages(Workbench bench, int size) {
    Backend backend = bench.backend();
    List<float[]> results = new ArrayList<>();
    Tensor weight = models(bench, size, 1, true, DType.F32).get(0);
    List<Tensor> averages = new ArrayList<>(models(bench, size, 2, true, DType.F32));
    averages.addAll(models(bench, size, 1, false, DType.BF16));
    MovingAverage.move(backend, new double[] {0.9, 0, 0.5}, weight, averages);
    MovingAverage.swap(backend, weight, averages.get(0));
    StochasticWeightAverage swa =
        new StochasticWeightAverage(backend, List.of(weight), List.of(averages.get(1)));
    for (int i = 0; i < 3; i++) {
      swa.capture();
      MovingAverage.move(backend, 0.5, averages.get(0), weight);
    }
    results.add(bench.floats(weight));
    results.add(bench.floats(averages.get(0)));
    results.add(bench.floats(averages.get(1)));
    results.add(codes(bench, averages.get(2)));
    Lookahead lookahead = new Lookahead(backend, 0.8, 1, List.of(weight), List.of(averages.get(2)));
    MovingAverage.move(backend, 0.3, averages.get(0), weight);
    lookahead.afterStep();
    results.add(bench.floats(weight));
    results.add(codes(bench, averages.get(2)));
    for (int rows : new int[] {1, 3}) {
      float[] values = values(rows * size, 5, false);
      Tensor matrix = bench.tensor(values, rows, size);
      Tensor gradient = bench.tensor(values(rows * size, 6, false), rows, size);
      Tensor out = bench.tensor(DType.F32, rows, size);
      ForcedWeightNorm norm = new ForcedWeightNorm();
      norm.effective(backend, 0.7, matrix, out);
      results.add(bench.floats(out));
      norm.gradient(backend, 0.7, matrix, gradient, out);
      results.add(bench.floats(out));
      norm.force(backend, matrix);
      results.add(bench.floats(matrix));
    }
    return results;
  }

  private static void same(String what, Work work) {
    List<float[]> expected = null;
    String reference = null;
    int compared = 0;
    for (Backend.Availability backend : Backend.all()) {
      if (!backend.isAvailable()) {
        continue;
      }
      try (Workbench bench = new Workbench(backend.name())) {
        List<float[]> actual = work.run(bench);
        if (expected == null) {
          expected = actual;
          reference = backend.name();
          continue;
        }
        compared++;
        for (int i = 0; i < actual.size(); i++) {
          assertArrayEquals(
              bitsOf(expected.get(i)),
              bitsOf(actual.get(i)),
              what + ", result " + i + ", " + reference + " and " + backend.name());
        }
      }
    }
    assumeTrue(compared > 0, "only one backend here");
  }

  private static int[] bitsOf(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToIntBits(values[i]);
    }
    return bits;
  }

  /** A double as three floats, which hold it exactly unless it is tiny. */
  private static float[] bits(double value) {
    float high = (float) value;
    float middle = (float) (value - high);
    return new float[] {high, middle, (float) (value - high - middle)};
  }

  private static float[] codes(Workbench bench, Tensor half) {
    short[] codes = bench.codes(half);
    float[] values = new float[codes.length];
    for (int i = 0; i < codes.length; i++) {
      values[i] = codes[i];
    }
    return values;
  }

  private static List<Tensor> models(
      Workbench bench, int size, int count, boolean special, DType dtype) {
    List<Tensor> models = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      Tensor model = bench.tensor(values(size, k, special && k % 2 == 1), size);
      if (dtype != DType.F32) {
        Tensor half = bench.tensor(dtype, size);
        MovingAverage.copy(bench.backend(), model, half);
        model = half;
      }
      models.add(model);
    }
    return models;
  }

  private static float[] values(int size, int seed, boolean special) {
    Random random = new Random(seed);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
      if (special && i % 97 == 13) {
        values[i] = SPECIAL[i / 97 % SPECIAL.length];
      }
    }
    return values;
  }
}
