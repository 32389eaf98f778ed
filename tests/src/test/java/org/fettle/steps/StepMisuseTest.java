package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.OptionalDouble;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.fettle.rules.AdamW;
import org.fettle.rules.ScheduleFreeSgd;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Wrong calls are refused by name before anything is written. */
class StepMisuseTest {
  static List<Backend> backends() {
    return Machine.hostBackends();
  }

  private static void refused(Executable call, String... words) {
    Throwable thrown = assertThrows(IllegalArgumentException.class, call);
    for (String word : words) {
      assertTrue(thrown.getMessage().contains(word), word + " in: " + thrown.getMessage());
    }
  }

  private static Tensor tensor(long... shape) {
    return Tensor.allocate(DType.F32, shape);
  }

  private static Parameter parameter(long... shape) {
    return Parameter.of(tensor(shape), tensor(shape));
  }

  @Test
  void numbers() {
    for (double bad : new double[] {-1, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused(() -> new ProdigyOptions().withLr(bad), "lr", "" + bad);
      refused(() -> new SmbOptions().withLr(bad), "lr", "" + bad);
      refused(() -> new MuonOptions().withLr(bad), "lr", "" + bad);
      refused(() -> new MuonOptions().withWeightDecay(bad), "weightDecay", "" + bad);
      refused(() -> new SoapOptions().withLr(bad), "lr", "" + bad);
      refused(() -> new FrugalOptions().withLr(bad), "lr", "" + bad);
      refused(() -> new AdafactorOptions().withLr(bad), "lr", "" + bad);
      refused(() -> new AdafactorOptions().withBeta1(bad), "beta1", "" + bad);
      refused(() -> new AdafactorOptions().withWeightDecay(bad), "weightDecay", "" + bad);
      refused(() -> new DpSgd.Options(0.1, bad, 1), "clip", "" + bad);
      refused(() -> new Diff2.Options(0.1, 1, bad, 1, 1), "slope", "" + bad);
      refused(() -> new MFac.Options(0.1, 0, 0, 4, bad, false), "damping", "" + bad);
      refused(() -> new Shampoo.Options(0.1, 1, bad, -0.25, 0, 1), "eps", "" + bad);
      refused(() -> new KFacDense.Options(0.1, bad, 0.9, true, false), "damping", "" + bad);
      refused(() -> new Saf(0.1, bad), "temperature", "" + bad);
      refused(() -> new Samo(bad, 0.1, false), "rho", "" + bad);
      refused(() -> new Manifold(Manifold.Kind.BALL, bad, 1e-5), "curvature", "" + bad);
      refused(() -> new RiemannianAdaGrad.Options(bad, 0), "lr", "" + bad);
      refused(() -> new ThermodynamicGradient.Options(bad, 1, 0), "damping", "" + bad);
      refused(() -> new ScheduleRefinement(new double[] {1, bad}, -1), "norm 1", "" + bad);
      refused(() -> new NewtonSchulz.Options(1, 1, 1, bad, 5), "eps", "" + bad);
    }
    refused(() -> new PolyakMomentum.Options(1, 1, 1, 0, 0), "beta", "[0, 1)");
    refused(() -> new PolyakHeavyBall.Options(0.9, 0, 1, 0), "c is 0.0");
    refused(() -> new UpGrad(0), "objectives is 0");
    refused(() -> new MultiMomentum.Options(0.1, 1.5), "beta is 1.5");
    refused(() -> new RiemannianAdam.Options(1, 0.9, 1, 1, 0, false, false), "beta2");
    refused(() -> new DiLoCo.Options(1, 1), "momentum is 1.0");
  }

  @Test
  void adafactorsRates() {
    OptionalDouble none = OptionalDouble.empty();
    OptionalDouble some = OptionalDouble.of(0.1);
    refused(
        () -> new AdafactorOptions(some, 1e-30, 1e-3, 1, -0.8, none, 0, true, true, false),
        "lr is 0.1",
        "relativeStep");
    refused(
        () -> new AdafactorOptions(none, 1e-30, 1e-3, 1, -0.8, none, 0, true, false, false),
        "lr is absent",
        "relativeStep");
    refused(
        () -> new AdafactorOptions(some, 1e-30, 1e-3, 1, -0.8, none, 0, true, false, true),
        "warmupInit is true");
    refused(
        () -> new AdafactorOptions(none, 1e-30, 1e-3, 0, -0.8, none, 0, true, true, false),
        "clipThreshold is 0.0");
    refused(
        () -> new AdafactorOptions(none, 1e-30, 1e-3, 1, 0.8, none, 0, true, true, false),
        "decayRate is 0.8");
    Parameter parameter = parameter(3, 4);
    Backend backend = Backend.named("java");
    try (Adafactor step = new Adafactor(backend, new AdafactorOptions(), List.of(parameter))) {
      refused(() -> step.step(0.1), "lr is 0.1", "relativeStep");
      refused(() -> step.state(0, "v"), "state v", "row, col");
      assertEquals(0, step.steps());
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void tensors(Backend backend) {
    List<Parameter> fine = List.of(parameter(3, 4));
    List<Parameter> bare = List.of(Parameter.of(tensor(3), null));
    List<Parameter> crooked = List.of(Parameter.of(tensor(3), tensor(4)));
    refused(() -> new Prodigy(backend, new ProdigyOptions(), bare), "tensor 0", "no gradient");
    refused(() -> new Prodigy(backend, new ProdigyOptions(), crooked), "tensor 0.gradient");
    refused(
        () -> new Muon(backend, new MuonOptions(), List.of(parameter(3))), "tensor 0", "matrix");
    refused(() -> new Adafactor(backend, new AdafactorOptions(), bare), "tensor 0", "no gradient");
    refused(
        () -> new Adafactor(backend, new AdafactorOptions(), crooked),
        "tensor 0.gradient",
        "F32[3]");
    refused(
        () -> new Soap(backend, new SoapOptions(), List.of(parameter(2, 2, 2))),
        "tensor 0",
        "one axis or two");
    refused(
        () -> new Frugal(backend, new FrugalOptions(), Frugal.Choice.ROWS, 0, parameter(2, 2, 2)),
        "expected a matrix");
    refused(
        () ->
            new RiemannianAdam(
                backend, new RiemannianAdam.Options(), Manifold.sphere(), List.of(parameter(3, 1))),
        "rows of 2 or more");
    refused(
        () ->
            new RiemannianAdaGrad(
                backend, new RiemannianAdaGrad.Options(), Manifold.sphere(), fine),
        "expected a ball");
    refused(
        () -> WeightNorm.forward(backend, 2, tensor(2, 3), tensor(2), tensor(2, 3)), "axis is 2");
    refused(
        () -> WeightNorm.forward(backend, 0, tensor(2, 3), tensor(3), tensor(2, 3)),
        "magnitude",
        "2 elements");
    Tensor twice = tensor(2, 3);
    refused(() -> WeightNorm.forward(backend, 0, twice, tensor(2), twice), "output", "overlaps");
    refused(() -> new UpGrad(3).direction(backend, tensor(2, 5), tensor(5)), "3 rows of 5");
    refused(
        () -> TrAct.weightGradient(backend, 0.1, tensor(4, 3), tensor(5, 2), tensor(2, 3)),
        "gradients",
        "one row per row");
    refused(
        () ->
            SteepestDescent.step(
                backend, SteepestDescent.Norm.COLUMNS, 0.1, true, tensor(2, 2), tensor(2, 2)),
        "dual is true");
    refused(
        () -> HessianDiagonal.average(backend, tensor(10), 3, tensor(10)), "block is 3", "divisor");
    refused(() -> HessianDiagonal.window(tensor(2, 2, 2)), "3 axes");
    refused(() -> new Saf().loss(backend, tensor(3), tensor(3)), "batch x classes");
    refused(
        () ->
            new Saf()
                .loss(
                    backend, Tensor.allocate(DType.BF16, 3, 2), Tensor.allocate(DType.BF16, 3, 2)),
        "expected F32");
    refused(() -> new MFacInverse(backend, tensor(5), 0.1, 5), "gradients x parameters");
    try (Plan plan = Plan.builder().group(new AdamW(), fine).backend(backend).build()) {
      refused(() -> new ScheduleFree(plan), "adamw", "Schedule-Free");
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void examplesThatAreNotFiniteChangeNothing(Backend backend) {
    try (Workbench bench = new Workbench(backend.name())) {
      float[] start = {1, 2, 3};
      Tensor p = bench.tensor(start, 3);
      Tensor noise = bench.tensor(new float[3], 3);
      float[] values = {1, 2, 3, 4, Float.NaN, 6};
      Tensor examples = bench.tensor(values, 2, 3);
      try (DpSgd step = new DpSgd(backend, new DpSgd.Options(), List.of(p))) {
        refused(() -> step.step(List.of(examples), List.of(noise)), "example 1", "NaN");
      }
      assertArrayEquals(start, bench.floats(p));
      Parameter parameter = Parameter.of(p, bench.tensor(new float[] {1, Float.NaN, 0}, 3));
      try (MFac step = new MFac(backend, new MFac.Options(), List.of(parameter))) {
        refused(step::step, "gradients", "NaN");
      }
      try (PolyakMomentum step =
          new PolyakMomentum(backend, new PolyakMomentum.Options(), List.of(parameter))) {
        refused(() -> step.step(Double.NaN), "loss is NaN");
      }
      assertArrayEquals(start, bench.floats(p));
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void statesOfAffairs(Backend backend) {
    Parameter parameter = parameter(4, 6);
    Muon muon = new Muon(backend, new MuonOptions(), List.of(parameter));
    muon.close();
    muon.close();
    assertThrows(IllegalStateException.class, muon::step);
    assertThrows(IllegalStateException.class, () -> muon.momentum(0));
    try (Plan plan =
            Plan.builder()
                .group(new ScheduleFreeSgd(), List.of(parameter))
                .backend(backend)
                .build();
        ScheduleFree modes = new ScheduleFree(plan)) {
      modes.step(new Step());
      modes.evaluate();
      assertThrows(IllegalStateException.class, () -> modes.step(new Step()));
      modes.train();
      modes.step(new Step());
    }
    try (Nexus nexus = new Nexus(backend, 0.1, List.of(parameter))) {
      assertThrows(IllegalStateException.class, nexus::finish);
    }
    try (Frugal frugal =
        new Frugal(backend, new FrugalOptions().withLr(0.1), Frugal.Choice.COLUMNS, 1, parameter)) {
      refused(() -> frugal.choose(0, 1), "2 numbers", "expected 1");
      refused(() -> frugal.choose(6), "number is 6");
      frugal.step();
      assertThrows(IllegalStateException.class, () -> frugal.choose(2));
    }
    try (Smb smb = new Smb(backend, new SmbOptions(), List.of(parameter))) {
      int[] calls = {0};
      assertThrows(
          ArithmeticException.class,
          () ->
              smb.step(
                  () -> {
                    if (calls[0]++ == 1) {
                      throw new ArithmeticException("no loss");
                    }
                    return 1;
                  }));
    }
  }
}
