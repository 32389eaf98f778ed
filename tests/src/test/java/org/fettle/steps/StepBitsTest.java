package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.testkit.Machine;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Steps without products of matrices give the same bits on java, v3 and v4. */
class StepBitsTest {
  /** What one backend's run leaves behind. */
  private static final class Trial {
    final Workbench bench;
    final SplittableRandom random;
    final boolean special;
    final List<float[]> floats = new ArrayList<>();
    final List<double[]> doubles = new ArrayList<>();

    Trial(Workbench bench, long seed, boolean special) {
      this.bench = bench;
      this.special = special;
      random = new SplittableRandom(seed);
    }

    Backend backend() {
      return bench.backend();
    }

    Tensor tensor(int... shape) {
      int n = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
      float[] values = new float[n];
      for (int i = 0; i < n; i++) {
        values[i] = (float) (random.nextDouble() - 0.5);
        if (special && random.nextInt(97) == 0) {
          float[] choices = {0f, -0f, 1e-40f, 1e20f, -1e20f, Float.MIN_VALUE};
          values[i] = choices[random.nextInt(choices.length)];
        }
      }
      return bench.tensor(values, Arrays.stream(shape).mapToLong(i -> i).toArray());
    }

    Parameter parameter(int... shape) {
      return Parameter.of(tensor(shape), tensor(shape));
    }

    void keep(Tensor tensor) {
      floats.add(bench.floats(tensor));
    }

    void keep(double... values) {
      doubles.add(values);
    }
  }

  private interface Work {
    void run(Trial trial);
  }

  private static void same(int size, Work work) {
    for (boolean special : new boolean[] {false, true}) {
      Map<String, Trial> trials = new LinkedHashMap<>();
      for (Backend backend : Machine.backends()) {
        try (Workbench bench = new Workbench(backend.name())) {
          Trial trial = new Trial(bench, 31L * size, special);
          work.run(trial);
          trials.put(backend.name(), trial);
        }
      }
      Trial first = null;
      for (Map.Entry<String, Trial> entry : trials.entrySet()) {
        if (first == null) {
          first = entry.getValue();
          continue;
        }
        for (int i = 0; i < first.floats.size(); i++) {
          assertArrayEquals(
              bits(first.floats.get(i)),
              bits(entry.getValue().floats.get(i)),
              entry.getKey() + ", array " + i + ", size " + size);
        }
        for (int i = 0; i < first.doubles.size(); i++) {
          assertArrayEquals(
              first.doubles.get(i), entry.getValue().doubles.get(i), 0.0, entry.getKey());
        }
      }
    }
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToIntBits(values[i]);
    }
    return bits;
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 511, 512, 513, 4095, 4096, 4097, 10000})
  void stepsOverAllTensors(int n) {
    same(
        n,
        trial -> {
          List<Parameter> parameters = List.of(trial.parameter(n), trial.parameter(3, 5));
          ProdigyOptions options =
              new ProdigyOptions(
                  1, 0.9, 0.99, 0.95, 1e-8, 0.1, false, true, false, 1e-3, 1, 10, n > 7 ? 3 : 1);
          try (Prodigy prodigy = new Prodigy(trial.backend(), options, parameters);
              PolyakMomentum momentum =
                  new PolyakMomentum(
                      trial.backend(),
                      new PolyakMomentum.Options(0.9, 1, 0.1, 0, 0.01),
                      parameters);
              PolyakHeavyBall ball =
                  new PolyakHeavyBall(trial.backend(), new PolyakHeavyBall.Options(), parameters);
              MultiMomentum clusters =
                  new MultiMomentum(
                      trial.backend(),
                      new MultiMomentum.Options(),
                      new double[] {0.3, 0.7},
                      parameters);
              Nexus nexus = new Nexus(trial.backend(), 0.01, parameters);
              Smb smb = new Smb(trial.backend(), new SmbOptions(), parameters)) {
            for (int t = 0; t < 2; t++) {
              prodigy.step();
              trial.keep(momentum.step(0.7), ball.step(0.6), prodigy.d());
              clusters.step(t);
              nexus.innerStep();
              double[] losses = {1, 5};
              int[] call = {0};
              smb.step(() -> losses[call[0]++]);
            }
            nexus.finish();
            trial.keep(nexus.pseudoGradient(0));
            trial.keep(prodigy.state(0, "s"));
            trial.keep(prodigy.state(0, "v"));
          }
          parameters.forEach(parameter -> trial.keep(parameter.value()));
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 127, 129, 511, 512, 513, 4095, 4096, 4097, 10000})
  void adafactor(int n) {
    same(
        n,
        trial -> {
          List<Parameter> parameters =
              List.of(
                  trial.parameter(n),
                  trial.parameter(3, n),
                  trial.parameter(n, 3),
                  trial.parameter(2, 3, n),
                  trial.parameter(),
                  trial.parameter(n / 8, 40),
                  trial.parameter(3, 2, 3, 3));
          List<AdafactorOptions> every =
              List.of(
                  new AdafactorOptions(),
                  new AdafactorOptions()
                      .withLr(0.01)
                      .withBeta1(0.9)
                      .withWeightDecay(0.1)
                      .withScaleParameter(false));
          for (AdafactorOptions options : every) {
            try (Adafactor step = new Adafactor(trial.backend(), options, parameters)) {
              step.step();
              step.step();
              for (int i = 0; i < parameters.size(); i++) {
                boolean factored = parameters.get(i).value().rank() > 1;
                for (String state : factored ? List.of("row", "col") : List.of("v")) {
                  trial.keep(step.state(i, state));
                }
                if (options.beta1().isPresent()) {
                  trial.keep(step.state(i, "m"));
                }
                trial.keep(step.lr(i));
              }
            }
            parameters.forEach(parameter -> trial.keep(parameter.value()));
          }
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"BF16", "F16"})
  void adafactorOnHalfPrecision(String format) {
    for (int n : new int[] {1, 7, 513, 4097}) {
      Map<String, short[]> results = new LinkedHashMap<>();
      for (Backend backend : Machine.hostBackends()) {
        try (Workbench bench = new Workbench(backend.name())) {
          DType dtype = DType.valueOf(format);
          Tensor value = bench.tensor(dtype, 5, n);
          Tensor gradient = bench.tensor(dtype, 5, n);
          SplittableRandom random = new SplittableRandom(n);
          short[] codes = new short[5 * n];
          for (Tensor tensor : List.of(value, gradient)) {
            for (int i = 0; i < codes.length; i++) {
              // Magnitudes from about 2^-7 to 1 in either format.
              codes[i] =
                  (short) ((format.equals("BF16") ? 0x3C00 : 0x2000) + random.nextInt(0x300));
              codes[i] |= (short) (random.nextBoolean() ? 0x8000 : 0);
            }
            bench.put(tensor, codes);
          }
          short[] before = bench.codes(value);
          Parameter parameter = Parameter.of(value, gradient);
          try (Adafactor step =
              new Adafactor(
                  backend, new AdafactorOptions().withLr(0.1).withBeta1(0.9), List.of(parameter))) {
            step.step();
            step.step();
          }
          assertFalse(Arrays.equals(before, bench.codes(value)), "nothing moved");
          results.put(backend.name(), bench.codes(value));
        }
      }
      short[] expected = results.values().iterator().next();
      results.forEach((name, codes) -> assertArrayEquals(expected, codes, name + ", size " + n));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 511, 512, 513, 4096, 4097, 10000})
  void rowsOfGradients(int n) {
    same(
        n,
        trial -> {
          Tensor p = trial.tensor(n);
          Tensor noise = trial.tensor(n);
          try (DpSgd dp = new DpSgd(trial.backend(), new DpSgd.Options(), List.of(p));
              Diff2 diff = new Diff2(trial.backend(), new Diff2.Options(), List.of(p));
              DiLoCo outer = new DiLoCo(trial.backend(), new DiLoCo.Options(), 3, List.of(p));
              ThermodynamicGradient walk =
                  new ThermodynamicGradient(
                      trial.backend(),
                      new ThermodynamicGradient.Options(0.1, 0.01, 0.2),
                      trial.tensor(4, n),
                      trial.tensor(n))) {
            for (int t = 0; t < 2; t++) {
              Tensor examples = trial.tensor(3, n);
              dp.step(List.of(examples), List.of(noise));
              diff.step(List.of(examples), List.of(trial.tensor(3, n)), List.of(noise));
              outer.step(List.of(examples));
              walk.step(noise);
            }
            trial.keep(walk.state());
          }
          trial.keep(p);
          Tensor direction = trial.tensor(n);
          new Samo(0.05, 0.2, true)
              .perturbation(
                  trial.backend(),
                  List.of(p),
                  List.of(noise),
                  List.of(trial.tensor(n)),
                  List.of(direction));
          trial.keep(direction);
          if (!trial.special) {
            Parameter parameter = trial.parameter(n);
            try (MFac mfac =
                new MFac(
                    trial.backend(),
                    new MFac.Options(0.01, 0.9, 0.1, 3, 1e-3, true),
                    List.of(parameter))) {
              mfac.step();
              mfac.step();
              trial.keep(mfac.direction(0));
            }
            trial.keep(parameter.value());
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 127, 128, 129, 4096, 5000})
  void rows(int n) {
    same(
        n,
        trial -> {
          for (Manifold manifold :
              n == 1 ? List.of(Manifold.ball()) : List.of(Manifold.ball(), Manifold.sphere())) {
            for (boolean exact : new boolean[] {false, true}) {
              Parameter parameter = trial.parameter(3, n);
              try (RiemannianAdam adam =
                  new RiemannianAdam(
                      trial.backend(),
                      new RiemannianAdam.Options(0.1, 0.9, 0.99, 1e-8, 0.01, exact, exact),
                      manifold,
                      List.of(parameter))) {
                adam.step();
                adam.step();
                trial.keep(adam.momentum(0));
                trial.keep(adam.secondMoment(0));
              }
              trial.keep(parameter.value());
            }
          }
          Parameter point = trial.parameter(3, n);
          try (RiemannianAdaGrad step =
              new RiemannianAdaGrad(
                  trial.backend(),
                  new RiemannianAdaGrad.Options(),
                  Manifold.ball(),
                  List.of(point))) {
            step.step();
          }
          trial.keep(point.value());
          Tensor logits = trial.tensor(3, n);
          Tensor gradient = trial.tensor(3, n);
          trial.keep(new Saf().gradient(trial.backend(), logits, trial.tensor(3, n), gradient));
          trial.keep(gradient);
          for (int axis = -1; axis < 2; axis++) {
            int count = axis < 0 ? 1 : axis == 0 ? 3 : n;
            Tensor v = trial.tensor(3, n);
            Tensor gamma = trial.tensor(count);
            Tensor w = trial.tensor(3, n);
            Tensor dGamma = trial.tensor(count);
            WeightNorm.forward(trial.backend(), axis, v, gamma, w);
            trial.keep(w);
            WeightNorm.backward(trial.backend(), axis, v, gamma, trial.tensor(3, n), w, dGamma);
            trial.keep(w);
            trial.keep(dGamma);
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 64, 65, 700})
  void frugal(int n) {
    same(
        n,
        trial -> {
          for (Frugal.Choice choice : Frugal.Choice.values()) {
            for (FrugalOptions.Others others : FrugalOptions.Others.values()) {
              FrugalOptions options =
                  new FrugalOptions(
                      0.01, 0.9, 0.99, 1e-8, 0.1, 0.4, 2, false, true, 1, 0.5, others);
              Parameter parameter = trial.parameter(7, n);
              try (Frugal frugal = new Frugal(trial.backend(), options, choice, 5, parameter)) {
                for (int t = 0; t < 3; t++) {
                  frugal.step();
                }
                trial.keep(frugal.momentum());
              }
              trial.keep(parameter.value());
            }
          }
          List<Parameter> blocks =
              List.of(trial.parameter(n), trial.parameter(3), trial.parameter(n, 2));
          try (FrugalBlocks step =
              new FrugalBlocks(
                  trial.backend(), new FrugalOptions(), FrugalBlocks.Order.RANDOM, 3, blocks)) {
            step.step();
          }
          blocks.forEach(block -> trial.keep(block.value()));
        });
  }
}
