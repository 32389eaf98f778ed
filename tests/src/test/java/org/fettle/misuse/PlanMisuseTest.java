package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.NonFinite;
import org.fettle.NonFiniteGradientException;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.rules.AdaGradNorm;
import org.fettle.rules.AdamW;
import org.fettle.rules.Lamb;
import org.fettle.rules.Sgd;
import org.fettle.rules.SgdmRandomScaling;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A plan that is called wrongly, or too late, changes nothing and says why. */
class PlanMisuseTest {
  private static final String BACKENDS = "org.fettle.testkit.Machine#backends";

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "Plan.step(Step)",
    "Plan.setGradient(int, Tensor)",
    "Plan.parameter(int)",
    "Plan.rule(int)",
    "Plan.state(int, String)",
    "Plan.stepCount(int)",
    "Plan.scalar(int, String)",
    "Plan.gradientNorm(int)",
    "Plan.stage(Step)",
    "Plan.rowState(int, long)",
    "Plan.setStepCount(int, long)",
    "Plan.setScalar(int, String, double)"
  })
  void wrongArguments(Backend backend) {
    try (Subject subject = new Subject(backend);
        Plan plan = subject.builder(new Lamb()).build()) {
      subject.unchanged(
          plan,
          () -> {
            for (Consumer<Step> call : List.<Consumer<Step>>of(plan::step, plan::stage)) {
              Refusal.ofNull(() -> call.accept(null));
              Refusal.ofArgument(() -> call.accept(new Step().lr(1, 0.1)), "group 1", "below 1");
              Refusal.ofArgument(() -> call.accept(new Step().skip(7, true)), "group 7", "below 1");
            }
            Refusal.ofArgument(() -> plan.setStepCount(0, -1), "stepCount is -1", ">= 0");
            Refusal.ofArgument(() -> plan.setScalar(0, "m", 1), "expected one of [trust_ratio]");
            Refusal.ofArgument(
                () -> plan.rowState(0, 0), "rule lamb of tensor 0", "keeps nothing per row");
            for (int tensor : new int[] {-1, 1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
              String[] words = {"tensor " + tensor, "expected 0 to 0"};
              Refusal.ofArgument(() -> plan.setGradient(tensor, subject.gradient), words);
              Refusal.ofArgument(() -> plan.parameter(tensor), words);
              Refusal.ofArgument(() -> plan.rule(tensor), words);
              Refusal.ofArgument(() -> plan.state(tensor, "m"), words);
              Refusal.ofArgument(() -> plan.stepCount(tensor), words);
              Refusal.ofArgument(() -> plan.scalar(tensor, "trust_ratio"), words);
              Refusal.ofArgument(() -> plan.gradientNorm(tensor), words);
              Refusal.ofArgument(() -> plan.rowState(tensor, 0), words);
              Refusal.ofArgument(() -> plan.setStepCount(tensor, 1), words);
              Refusal.ofArgument(() -> plan.setScalar(tensor, "trust_ratio", 1), words);
            }
            Refusal.ofArgument(
                () -> plan.state(0, "velocity"), "velocity", "tensor 0", "expected one of [m, v]");
            Refusal.ofArgument(
                () -> plan.scalar(0, "m"), "scalar m", "tensor 0", "expected one of [trust_ratio]");
          });
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void rowsOutOfRange(Backend backend) {
    try (Subject subject = new Subject(backend);
        Plan plan = subject.builder(new AdaGradNorm().withByRow(true)).build()) {
      subject.unchanged(
          plan,
          () -> {
            for (long row : new long[] {-1, Subject.ELEMENTS, 1L << 32, Long.MIN_VALUE}) {
              Refusal.ofArgument(() -> plan.rowState(0, row), "row is " + row, "in [0, 5000)");
            }
          });
      assertTrue(plan.rowState(0, Subject.ELEMENTS - 1) > 0);
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void inputsThatAreMissing(Backend backend) {
    try (Subject subject = new Subject(backend);
        Plan plan =
            subject
                .builder(new SgdmRandomScaling())
                .group(new Sgd(), Parameter.of(subject.tensor(5, DType.F32), subject.gradient))
                .build()) {
      long sum = subject.sum();
      long states = subject.sum(plan);
      String[] words = {"no input scale", "expected one for group 0"};
      Refusal.ofArgument(() -> plan.step(), words);
      Refusal.ofArgument(() -> plan.stage(new Step().input("scales", 1)), words);
      assertEquals(sum, subject.sum());
      assertEquals(states, subject.sum(plan));
      // A group that is skipped needs none.
      plan.step(new Step().skip(0, true));
      assertEquals(0, plan.stepCount(0));
      assertEquals(1, plan.stepCount(1));
      plan.step(new Step().input("scale", 0.5));
      assertEquals(1, plan.stepCount(0));
    }
  }

  /** What is staged holds until it is staged anew; a gradient that goes meanwhile is not read. */
  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({"Plan.stepStaged()", "Plan.setStream(long)"})
  void stagedSteps(Backend backend) {
    try (Subject subject = new Subject(backend);
        Plan plan = subject.builder(new AdamW()).build()) {
      subject.unchanged(
          plan, () -> Refusal.ofState(() -> plan.stepStaged(), "nothing is staged", "stage(Step)"));
      plan.stage(new Step());
      plan.stepStaged();
      assertEquals(2, plan.stepCount(0));
      plan.setGradient(0, null);
      long sum = subject.sum();
      plan.stepStaged();
      assertEquals(2, plan.stepCount(0));
      assertEquals(sum, subject.sum());
      plan.setGradient(0, subject.gradient);
      plan.stepStaged();
      assertEquals(3, plan.stepCount(0));
      plan.stage(new Step().skip(0, true));
      plan.setGradient(0, subject.gradient);
      plan.stepStaged();
      assertEquals(3, plan.stepCount(0), "a skipped group has stepped");
      if (backend.device().equals(Device.CPU)) {
        plan.setStream(12345);
        plan.step();
        assertEquals(4, plan.stepCount(0));
      }
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({"Plan.save(Path)", "Plan.load(Path)"})
  void stateFiles(Backend backend, @TempDir Path folder) throws IOException {
    Path good = folder.resolve("good");
    try (Subject subject = new Subject(backend);
        Plan plan = subject.builder(new Lamb()).build()) {
      plan.step();
      plan.save(good);
      Path text = Files.writeString(folder.resolve("text"), "not a state file at all");
      Path missing = folder.resolve("missing");
      subject.unchanged(
          plan,
          () -> {
            Refusal.ofNull(() -> plan.save(null));
            Refusal.ofNull(() -> plan.load(null));
            assertThrows(IOException.class, () -> plan.load(missing));
            assertThrows(IOException.class, () -> plan.load(folder));
            assertThrows(
                IOException.class, () -> plan.save(folder.resolve("no").resolve("folder")));
            Refusal.ofArgument(() -> plan.load(text));
          });
      plan.load(good);
      assertEquals(1, plan.stepCount(0));
      try (Plan other = subject.builder(new AdamW()).build()) {
        other.step();
        subject.unchanged(other, () -> Refusal.ofArgument(() -> other.load(good), "lamb"));
      }
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void wrongGradients(Backend backend) {
    try (Subject subject = new Subject(backend);
        Plan plan =
            subject
                .builder(new AdamW())
                .group(new Sgd(), Parameter.of(subject.tensor(5, DType.F32), subject.gradient))
                .build()) {
      Device other = backend.device().equals(Device.CPU) ? Device.cuda(0) : Device.CPU;
      Tensor elsewhere =
          Tensor.ofAddress(1 << 20, 4 * Subject.ELEMENTS, null, other, DType.F32, Subject.ELEMENTS);
      String name = "tensor 0 (weights).gradient";
      subject.unchanged(
          plan,
          () -> {
            Refusal.ofArgument(
                () -> plan.setGradient(0, subject.tensor(1, DType.F32, 50, 100)),
                name + " is F32[50, 100]",
                "expected the shape and device of F32[5000]");
            Refusal.ofArgument(() -> plan.setGradient(0, subject.mask), name + " is BIT");
            Refusal.ofArgument(() -> plan.setGradient(0, elsewhere), name, "on " + other);
            Refusal.ofArgument(() -> plan.setGradient(0, subject.value), name + " overlaps");
            Refusal.ofArgument(
                () -> plan.setGradient(0, subject.tensor(3, DType.F32)),
                name + " overlaps tensor 0 (weights).copy",
                "0x" + Long.toHexString(subject.copy.address()));
            Refusal.ofArgument(
                () -> plan.setGradient(0, subject.average),
                name + " overlaps tensor 0 (weights).average");
            // The last element of another tensor's parameter.
            Tensor end =
                subject.shifted(5, 4 * (Subject.ELEMENTS - 1), DType.F16, Subject.ELEMENTS);
            Refusal.ofArgument(() -> plan.setGradient(0, end), name + " overlaps tensor 1");
            Tensor start =
                subject.shifted(5, -2 * Subject.ELEMENTS + 2, DType.BF16, Subject.ELEMENTS);
            Refusal.ofArgument(() -> plan.setGradient(0, start), name + " overlaps tensor 1");
          });
      // Its neighbours are fine.
      plan.setGradient(0, subject.shifted(5, 4 * Subject.ELEMENTS, DType.BF16, 5000));
      plan.setGradient(0, subject.shifted(5, -2 * Subject.ELEMENTS, DType.BF16, 5000));
      plan.setGradient(0, null);
      long count = plan.stepCount(0);
      plan.step();
      assertEquals(count, plan.stepCount(0), "a tensor without a gradient has stepped");
      plan.setGradient(0, subject.gradient);
      plan.step();
      assertEquals(count + 1, plan.stepCount(0));
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "Plan.step()",
    "Plan.close()",
    "Plan.gradientNorm()",
    "Plan.lastStepApplied()",
    "Plan.tensors()",
    "Plan.backend()",
    "Plan.stateBytes()"
  })
  void useAfterClose(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      Plan plan = subject.builder(new Lamb()).build();
      plan.step();
      long sum = subject.sum();
      plan.close();
      plan.close();
      String[] words = {"the plan is closed"};
      Refusal.ofState(() -> plan.step(), words);
      Refusal.ofState(() -> plan.step(new Step()), words);
      Refusal.ofState(() -> plan.setGradient(0, subject.gradient), words);
      Refusal.ofState(() -> plan.setGradient(0, null), words);
      Refusal.ofState(() -> plan.state(0, "m"), words);
      Refusal.ofState(() -> plan.stepCount(0), words);
      Refusal.ofState(() -> plan.scalar(0, "trust_ratio"), words);
      Refusal.ofState(() -> plan.gradientNorm(), words);
      Refusal.ofState(() -> plan.gradientNorm(0), words);
      Refusal.ofState(() -> plan.stage(new Step()), words);
      Refusal.ofState(() -> plan.stepStaged(), words);
      Refusal.ofState(() -> plan.setStream(0), words);
      Refusal.ofState(() -> plan.setStepCount(0, 1), words);
      Refusal.ofState(() -> plan.setScalar(0, "trust_ratio", 1), words);
      Refusal.ofState(() -> plan.lastStepApplied(), words);
      Refusal.ofState(() -> plan.save(Path.of("never-written")), words);
      Refusal.ofState(() -> plan.load(Path.of("never-read")), words);
      assertEquals(sum, subject.sum());
      // What was settled when the plan was built can still be asked.
      assertEquals(1, plan.tensors());
      assertEquals(2L * 4 * Subject.ELEMENTS, plan.stateBytes());
      assertSame(subject.value, plan.parameter(0).value());
      assertEquals(new Lamb(), plan.rule(0));
      assertSame(backend, plan.backend());
      assertTrue(plan.toString().contains(backend.name()));
      plan.close();
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void nonFiniteGradients(Backend backend) {
    for (int bits : new int[] {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFFFFFFF, 0x7F800001}) {
      for (int at : new int[] {0, 511, 512, 4095, 4096, Subject.ELEMENTS - 1}) {
        nonFiniteGradient(backend, bits, at);
      }
    }
  }

  private static void nonFiniteGradient(Backend backend, int bits, int at) {
    try (Subject subject = new Subject(backend);
        Plan raises = subject.builder(new AdamW()).nonFinite(NonFinite.RAISE).build();
        Plan skips = subject.builder(new AdamW()).nonFinite(NonFinite.SKIP).build()) {
      raises.step();
      skips.step();
      int gradient = (int) (subject.gradient.address() - subject.value.address());
      ByteBuffer image = subject.arena.image();
      int good = image.getInt(gradient + 4 * at);
      image.putInt(gradient + 4 * at, bits);
      // Where the mask is 0 nobody would see it.
      int mask = (int) (subject.mask.address() - subject.value.address());
      image.put(mask + at / 8, (byte) (image.get(mask + at / 8) | 1 << at % 8));
      subject.arena.upload(subject.arena.bytes());
      long sum = subject.sum();
      long states = subject.sum(raises);
      Refusal.of(
          NonFiniteGradientException.class,
          () -> raises.step(),
          "gradient is infinite or NaN",
          "unchanged");
      assertEquals(sum, subject.sum());
      assertEquals(states, subject.sum(raises));
      assertFalse(raises.lastStepApplied());
      states = subject.sum(skips);
      skips.step();
      assertEquals(sum, subject.sum());
      assertEquals(states, subject.sum(skips));
      assertFalse(skips.lastStepApplied());

      image.putInt(gradient + 4 * at, good);
      subject.arena.upload(subject.arena.bytes());
      raises.step();
      assertTrue(raises.lastStepApplied());
      assertEquals(2, raises.stepCount(0));
      // Finite as given, but not once it is unscaled.
      image.putInt(gradient + 4 * at, 0x7F000000);
      subject.arena.upload(subject.arena.bytes());
      skips.step(new Step().lossScale(1e-3));
      assertFalse(skips.lastStepApplied());
      assertEquals(1, skips.stepCount(0));
    }
  }

  /** A rule of one's own that fails while it writes: the plan says so from then on. */
  @Test
  void aStepThatFailsHalfWayBreaksThePlan() {
    try (Subject subject = new Subject(Backend.named("java"))) {
      Plan plan = subject.builder(new OwnRule("mine", 1, 0, 0)).build();
      plan.step();
      int gradient = (int) (subject.gradient.address() - subject.value.address());
      subject.arena.image().putFloat(gradient + 4 * 4500, OwnRule.POISON);
      Refusal.of(ArithmeticException.class, () -> plan.step(), "poison");
      Refusal.ofState(() -> plan.step(), "broken", "half way", "poison");
      Refusal.ofState(() -> plan.stepCount(0), "broken");
      plan.close();
      Refusal.ofState(() -> plan.step(), "closed");
    }
  }
}
