package org.fettle.averages;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Average;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.MaskedStates;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.StateFormat;
import org.fettle.Tensor;
import org.fettle.internal.Formats;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Sgd;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several averages that ride on the step of one parameter. */
class SeveralAveragesTest {
  private static final Average[] PROFILES = {
    new Average(0.9), Average.uniform(1, 2), Average.power(0.1), new Average(0.99).withInterval(3)
  };
  private static final DType[] FORMATS = {DType.F32, DType.BF16, DType.F16, DType.F32};

  @TempDir private Path folder;

  /** What a run is made of besides its averages. */
  private record Setup(Rule rule, DType dtype, boolean masked, StateFormat states, int size) {}

  /** Parameters and averages of a few steps, as bytes. */
  private static List<byte[]> run(Backend backend, Setup setup, int steps, Average... averages) {
    SplittableRandom random = new SplittableRandom(setup.size);
    try (Workbench bench = new Workbench(backend.name())) {
      Tensor value = filled(bench, setup.dtype, setup.size, random);
      Tensor gradient = filled(bench, DType.F32, setup.size, random);
      Parameter parameter = Parameter.of(value, gradient);
      if (setup.masked) {
        double[] bits = new double[setup.size];
        Arrays.setAll(bits, i -> random.nextInt(3) == 0 ? 0 : 1);
        parameter = parameter.withMask(bench.mask(bits, setup.size));
      }
      Tensor[] tensors = new Tensor[averages.length];
      for (int k = 0; k < tensors.length; k++) {
        SplittableRandom own = new SplittableRandom(k);
        int at = Arrays.asList(PROFILES).indexOf(averages[k]);
        tensors[k] = filled(bench, at < 0 ? DType.F32 : FORMATS[at], setup.size, own);
      }
      PlanBuilder builder =
          Plan.builder()
              .backend(backend)
              .group(setup.rule, parameter.withAverages(tensors))
              .averages(averages)
              .rounding(Rounding.STOCHASTIC)
              .maskedStates(MaskedStates.FREEZE);
      if (setup.states != null) {
        builder.states(setup.states);
      }
      try (Plan plan = builder.build()) {
        for (int t = 0; t < steps; t++) {
          bench.put(gradient, values(setup.size, random));
          plan.step();
        }
      }
      List<byte[]> results = new ArrayList<>();
      results.add(bench.bytes(value));
      for (Tensor tensor : tensors) {
        results.add(bench.bytes(tensor));
      }
      return results;
    }
  }

  private static float[] values(int size, SplittableRandom random) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) (random.nextDouble() - 0.5);
    }
    return values;
  }

  private static Tensor filled(Workbench bench, DType dtype, int size, SplittableRandom random) {
    Tensor tensor = bench.tensor(dtype, size);
    float[] values = values(size, random);
    if (dtype == DType.F32) {
      bench.put(tensor, values);
      return tensor;
    }
    short[] codes = new short[size];
    for (int i = 0; i < size; i++) {
      codes[i] = Formats.nearest(dtype, values[i]);
    }
    bench.put(tensor, codes);
    return tensor;
  }

  private static List<Setup> setups() {
    List<Setup> setups = new ArrayList<>();
    for (int size : new int[] {1, 15, 512, 5003}) {
      setups.add(new Setup(new Sgd(), DType.F32, false, null, size));
      setups.add(new Setup(new AdamW(), DType.BF16, true, null, size));
      setups.add(new Setup(new Lamb(), DType.F32, true, null, size));
      StateFormat low = StateFormat.dynamic8().withThreshold(0);
      setups.add(new Setup(new AdamW(), DType.F32, false, low, size));
      setups.add(new Setup(new AdamW(), DType.F32, true, low.withBlockSize(1024), size));
    }
    return setups;
  }

  private static void same(List<byte[]> expected, List<byte[]> actual, String what) {
    assertEquals(expected.size(), actual.size(), what);
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), actual.get(i), what + ", array " + i);
    }
  }

  @Test
  void sameBitsOnAllBackends() {
    for (Setup setup : setups()) {
      for (Average[] averages :
          new Average[][] {
            PROFILES, {PROFILES[3], Average.lookahead(0.8, 2), PROFILES[1]}, {PROFILES[2]}
          }) {
        List<byte[]> expected = run(Machine.backends().get(0), setup, 5, averages);
        for (Backend backend : Machine.backends()) {
          same(expected, run(backend, setup, 5, averages), backend + ", " + setup);
        }
      }
    }
  }

  /** Each is what it is when it rides alone. */
  @Test
  void theyDoNotTouchEachOther() {
    for (Backend backend : Machine.backends()) {
      for (Setup setup : setups()) {
        List<byte[]> together = run(backend, setup, 5, PROFILES);
        for (int k = 0; k < PROFILES.length; k++) {
          // The seed of a tensor's values is its number.
          Average[] alone = Arrays.copyOf(PROFILES, k + 1);
          List<byte[]> results = run(backend, setup, 5, alone);
          String what = backend + ", " + setup + ", average " + k;
          assertArrayEquals(together.get(0), results.get(0), what);
          assertArrayEquals(together.get(k + 1), results.get(k + 1), what);
        }
      }
    }
  }

  /** One that pulls is followed by what comes behind it, and not by what comes before. */
  @Test
  void oneBehindAnotherInTheirOrder() {
    for (Backend backend : Machine.backends()) {
      try (Workbench bench = new Workbench(backend.name())) {
        Tensor value = bench.tensor(new float[] {1}, 1);
        Tensor gradient = bench.tensor(new float[] {1}, 1);
        Tensor[] averages = new Tensor[3];
        for (int k = 0; k < 3; k++) {
          averages[k] = bench.tensor(new float[] {0}, 1);
        }
        Average copy = new Average(0);
        try (Plan plan =
            Plan.builder()
                .backend(backend)
                .group(new Sgd().withLr(0.5), Parameter.of(value, gradient).withAverages(averages))
                .averages(copy, Average.lookahead(0.5, 1), copy)
                .build()) {
          plan.step();
        }
        assertEquals(0.5f, bench.floats(averages[0])[0], backend + " before");
        assertEquals(0.25f, bench.floats(averages[1])[0], backend + " slow");
        assertEquals(0.25f, bench.floats(averages[2])[0], backend + " behind");
        assertEquals(0.25f, bench.floats(value)[0], backend + " parameter");
      }
    }
  }

  /** A run that is taken up from a file goes on with the same bits. */
  @Test
  void filesGoOn() throws IOException {
    Backend backend = Backend.best();
    try (Workbench bench = new Workbench(backend.name())) {
      List<Tensor> all = new ArrayList<>();
      List<Plan> plans = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        SplittableRandom random = new SplittableRandom(1);
        Tensor value = filled(bench, DType.F32, 100, random);
        Tensor gradient = filled(bench, DType.F32, 100, random);
        Tensor[] averages = new Tensor[PROFILES.length];
        for (int k = 0; k < averages.length; k++) {
          averages[k] = filled(bench, FORMATS[k], 100, random);
        }
        all.add(value);
        all.addAll(List.of(averages));
        plans.add(
            Plan.builder()
                .backend(backend)
                .group(new AdamW(), Parameter.of(value, gradient).withAverages(averages))
                .averages(PROFILES)
                .build());
      }
      Path file = folder.resolve("plan");
      plans.get(0).step();
      plans.get(0).step();
      plans.get(0).save(file);
      plans.get(1).load(file);
      int half = all.size() / 2;
      for (int i = 0; i < half; i++) {
        bench.put(all.get(half + i), bench.bytes(all.get(i)));
      }
      plans.forEach(Plan::step);
      for (int i = 0; i < half; i++) {
        assertArrayEquals(bench.bytes(all.get(i)), bench.bytes(all.get(half + i)), "array " + i);
      }
      plans.forEach(Plan::close);
    }
  }
}
