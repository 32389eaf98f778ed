package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.fettle.Average;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.Tensor;
import org.fettle.rules.AdamW;
import org.fettle.rules.Sgd;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A plan that cannot work is refused when it is built; nothing is written or left allocated. */
class PlanBuilderMisuseTest {
  private static final String BACKENDS = "org.fettle.testkit.Machine#backends";

  private static void refused(Subject subject, Parameter parameter, String... words) {
    subject.unchanged(() -> Refusal.ofArgument(() -> plan(subject, parameter).build(), words));
  }

  private static PlanBuilder plan(Subject subject, Parameter... parameters) {
    return Plan.builder().backend(subject.backend).group(new AdamW(), parameters);
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "PlanBuilder.build()",
    "Parameter.of(Tensor, Tensor)",
    "Parameter.new(String, Tensor, Tensor, Tensor, Tensor, List)",
    "Parameter.withMask(Tensor)",
    "Parameter.withCopy(Tensor)",
    "Parameter.withAverage(Tensor)",
    "Parameter.withAverages(Tensor[])",
    "Parameter.named(String)"
  })
  void formatsAndShapes(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      Parameter good = subject.parameter();
      Tensor value = subject.value;
      Refusal.ofNull(() -> Parameter.of(null, subject.gradient));
      Refusal.ofNull(() -> new Parameter("x", null, null, null, null, List.of()));
      Refusal.ofNull(() -> new Parameter("x", value, null, null, null, null));
      Refusal.ofNull(() -> good.withAverages((Tensor) null));
      refused(
          subject,
          good.withAverages(subject.average, subject.tensor(5, DType.F32)),
          "tensor 0 (weights) has 2 averages: expected at most 1");
      Refusal.ofArgument(
          () ->
              plan(subject, good.withAverages(subject.average, subject.average))
                  .averages(new Average(0.9), new Average(0.99))
                  .build(),
          "(weights).average 1 overlaps",
          "(weights).average 0");
      Refusal.ofArgument(
          () ->
              plan(subject, good.withAverages(subject.average, subject.tensor(5, DType.BIT)))
                  .averages(new Average(0.9), new Average(0.99))
                  .build(),
          "tensor 0 (weights).average 1 is BIT");
      refused(
          subject,
          Parameter.of(subject.mask, null),
          "tensor 0 ",
          "BIT",
          "expected F32, BF16 or F16");
      refused(
          subject,
          Parameter.of(value, subject.mask).named("weights"),
          "tensor 0 (weights).gradient is BIT",
          "expected F32, BF16 or F16");
      refused(
          subject,
          Parameter.of(value, subject.tensor(1, DType.F32, 4999)),
          "tensor 0.gradient is F32[4999]",
          "expected the shape and device of F32[5000]");
      refused(
          subject,
          Parameter.of(value, subject.tensor(1, DType.F32, 50, 100)),
          "tensor 0.gradient is F32[50, 100]");
      refused(
          subject,
          good.withMask(subject.tensor(2, DType.BIT, 4999)),
          "tensor 0 (weights).mask is BIT[4999]");
      refused(
          subject,
          good.withMask(subject.tensor(2, DType.F32)),
          "tensor 0 (weights).mask is F32: expected BIT");
      refused(
          subject,
          good.withCopy(subject.tensor(3, DType.BF16, 1)),
          "tensor 0 (weights).copy is BF16[1]");
      refused(
          subject, good.withCopy(subject.tensor(3, DType.BIT)), "tensor 0 (weights).copy is BIT");
      refused(
          subject,
          good.withAverage(subject.tensor(4, DType.F32, 2, 2500)),
          "tensor 0 (weights).average is F32[2, 2500]");
      refused(
          subject,
          good.withAverage(subject.tensor(4, DType.BIT)),
          "tensor 0 (weights).average is BIT");
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void devices(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      Device other = backend.device().equals(Device.CPU) ? Device.cuda(0) : Device.CPU;
      Tensor elsewhere =
          Tensor.ofAddress(1 << 20, 4 * Subject.ELEMENTS, null, other, DType.F32, Subject.ELEMENTS);
      refused(
          subject,
          Parameter.of(elsewhere, null),
          "tensor 0 is on " + other,
          "expected " + backend.device(),
          "backend " + backend);
      refused(
          subject,
          Parameter.of(subject.value, elsewhere),
          "tensor 0.gradient is F32[5000] on " + other,
          "on " + backend.device());
      refused(subject, subject.parameter().withCopy(elsewhere), "copy", "on " + other);
      refused(subject, subject.parameter().withAverage(elsewhere), "average", "on " + other);
      Tensor mask =
          Tensor.ofAddress(1 << 20, Subject.ELEMENTS, null, other, DType.BIT, Subject.ELEMENTS);
      refused(subject, subject.parameter().withMask(mask), "mask", "on " + other);
    }
  }

  /** Every array that is written against every array, where they share one byte or all of them. */
  @ParameterizedTest
  @MethodSource(BACKENDS)
  void overlaps(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      Parameter good = subject.parameter();
      int behind = 4 * (Subject.ELEMENTS - 1);
      Tensor inside = subject.shifted(0, behind, DType.F32, Subject.ELEMENTS);
      refused(
          subject, Parameter.of(subject.value, subject.value), "tensor 0", "overlaps", "separate");
      refused(
          subject,
          Parameter.of(subject.value, inside),
          "tensor 0.gradient overlaps tensor 0",
          "0x" + Long.toHexString(inside.address()));
      refused(subject, good.withCopy(inside), "(weights).copy overlaps tensor 0 (weights)");
      refused(subject, good.withAverage(inside), "(weights).average overlaps tensor 0 (weights)");
      refused(
          subject,
          good.withMask(subject.shifted(0, behind + 3, DType.BIT, Subject.ELEMENTS)),
          "(weights).mask overlaps tensor 0 (weights)");
      refused(
          subject,
          good.withMask(subject.shifted(4, behind, DType.BIT, Subject.ELEMENTS)),
          "(weights).mask overlaps tensor 0 (weights).average");
      Tensor other = subject.shifted(5, 0, DType.F32, Subject.ELEMENTS);
      subject.unchanged(
          () ->
              Refusal.ofArgument(
                  () -> plan(subject, good, Parameter.of(other, subject.copy)).build(),
                  "tensor 1.gradient overlaps tensor 0 (weights).copy",
                  "separate memory"));
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void overlapsBetweenTensorsAndGroups(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      Parameter good = subject.parameter();
      Tensor other = subject.tensor(5, DType.F32);
      subject.unchanged(
          () -> {
            Refusal.ofArgument(
                () -> plan(subject, good, Parameter.of(subject.value, other)).build(),
                "overlaps",
                "tensor 0 (weights)",
                "tensor 1");
            Refusal.ofArgument(
                () -> plan(subject, good, Parameter.of(other, subject.average)).build(),
                "tensor 1.gradient",
                "overlaps",
                "tensor 0 (weights).average");
            Refusal.ofArgument(
                () ->
                    plan(subject, good)
                        .group(new Sgd(), Parameter.of(subject.average, null))
                        .build(),
                "tensor 1",
                "tensor 0 (weights).average");
          });
      // Gradients and masks are only read: two tensors may share them.
      try (Plan plan =
          plan(subject, good, Parameter.of(other, subject.gradient).withMask(subject.mask))
              .build()) {
        plan.step();
        assertEquals(1, plan.stepCount(1));
      }
      // Side by side is not overlapping.
      Tensor first = subject.tensor(5, DType.BF16, 3);
      Tensor second = subject.shifted(5, 6, DType.BF16, 3);
      plan(subject, Parameter.of(first, null), Parameter.of(second, null)).build().close();
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  @Misuses({
    "PlanBuilder.group(Rule, List)",
    "PlanBuilder.group(Rule, Parameter[])",
    "PlanBuilder.clip(GradientClip)",
    "PlanBuilder.nonFinite(NonFinite)",
    "PlanBuilder.maskedStates(MaskedStates)",
    "PlanBuilder.average(Average)",
    "PlanBuilder.averages(Average[])",
    "PlanBuilder.states(DType, Rounding)",
    "PlanBuilder.rounding(Rounding)",
    "PlanBuilder.copyRounding(Rounding)",
    "PlanBuilder.seed(long)",
    "PlanBuilder.threads(int)",
    "PlanBuilder.executor(Executor)",
    "PlanBuilder.backend(Backend)",
    "Plan.builder()"
  })
  void options(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      PlanBuilder builder = plan(subject, subject.parameter());
      Refusal.ofNull(() -> builder.group(null));
      Refusal.ofNull(() -> builder.group(new Sgd(), (List<Parameter>) null));
      Refusal.ofNull(() -> builder.group(new Sgd(), Collections.singletonList(null)));
      Refusal.ofNull(() -> builder.group(new Sgd(), (Parameter) null));
      Refusal.ofNull(() -> builder.clip(null));
      Refusal.ofNull(() -> builder.nonFinite(null));
      Refusal.ofNull(() -> builder.average(null));
      Refusal.ofNull(() -> builder.averages((Average) null));
      Average rule = new Average(0.9);
      Refusal.ofArgument(builder::averages, "0 averages: expected 1 to 4");
      Refusal.ofArgument(
          () -> builder.averages(rule, rule, rule, rule, rule), "5 averages: expected 1 to 4");
      Refusal.ofNull(() -> builder.maskedStates(null));
      Refusal.ofNull(() -> builder.states(null, Rounding.NEAREST));
      Refusal.ofNull(() -> builder.states(DType.F32, null));
      Refusal.ofNull(() -> builder.rounding(null));
      Refusal.ofNull(() -> builder.copyRounding(null));
      Refusal.ofNull(() -> builder.executor(null));
      Refusal.ofNull(() -> builder.backend(null));
      Refusal.ofArgument(() -> builder.threads(0), "threads is 0", "expected >= 1");
      Refusal.ofArgument(() -> builder.threads(-3), "threads is -3");
      Refusal.ofArgument(
          () -> plan(subject).states(DType.BIT, Rounding.NEAREST).build(),
          "states are BIT",
          "expected F32, BF16 or F16");
      // None of the refused calls left a trace in the builder; any seed is a seed.
      try (Plan plan = builder.seed(Long.MIN_VALUE).build()) {
        assertEquals(1, plan.tensors());
        assertEquals(new AdamW(), plan.rule(0));
        plan.step();
        assertEquals(1, plan.stepCount(0));
      }
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void aPlanOfNothingStepsAndCloses(Backend backend) {
    try (Plan plan = Plan.builder().backend(backend).build()) {
      plan.step();
      assertEquals(0, plan.tensors());
      assertEquals(0, plan.stateBytes());
      assertTrue(plan.lastStepApplied());
    }
    try (Plan plan = Plan.builder().backend(backend).group(new AdamW()).build()) {
      plan.step();
      Refusal.ofArgument(() -> plan.rule(0), "tensor 0");
    }
  }

  @ParameterizedTest
  @MethodSource(BACKENDS)
  void listsAreCopied(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      List<Parameter> list = new ArrayList<>(Arrays.asList(subject.parameter()));
      PlanBuilder builder = Plan.builder().backend(backend).group(new AdamW(), list);
      list.clear();
      try (Plan plan = builder.build()) {
        assertEquals(1, plan.tensors());
      }
    }
  }

  /** A plan's states are freed with it, so nobody else may build on them. */
  @ParameterizedTest
  @MethodSource(BACKENDS)
  void statesOfAPlan(Backend backend) {
    if (!backend.device().equals(Device.CPU)) {
      return;
    }
    try (Subject subject = new Subject(backend);
        Plan plan = plan(subject, subject.parameter()).build()) {
      Tensor state = plan.state(0, "m");
      Tensor other = subject.tensor(5, DType.F32);
      String[] words = {"tensor 0", "state of a plan", "memory of your own"};
      subject.unchanged(
          plan,
          () -> {
            Refusal.ofArgument(() -> plan(subject, Parameter.of(state, other)).build(), words);
            Refusal.ofArgument(() -> plan(subject, Parameter.of(other, state)).build(), words);
            Refusal.ofArgument(
                () -> plan(subject, Parameter.of(other, null).withCopy(state)).build(), words);
            Refusal.ofArgument(() -> plan.setGradient(0, state), words);
          });
    }
  }

  /** A class of another's own with the id of a registered rule must not reach a kernel. */
  @ParameterizedTest
  @MethodSource(BACKENDS)
  void rulesOfOnesOwn(Backend backend) {
    try (Subject subject = new Subject(backend)) {
      Rule stranger = new OwnRule("adamw", 1, 0, 0);
      Rule unknown = new OwnRule("mine", 1, 0, 0);
      if (!backend.name().equals("java")) {
        for (Rule rule : List.of(stranger, unknown)) {
          subject.unchanged(
              () ->
                  Refusal.ofArgument(
                      () -> subject.builder(rule).build(),
                      "rule " + rule.id() + " of group 0",
                      "not in the registry",
                      "expected backend java, is " + backend));
        }
        return;
      }
      subject.unchanged(
          () -> {
            Refusal.ofArgument(
                () -> subject.builder(new OwnRule("mine", 5, 0, 0)).build(),
                "rule mine of group 0 has 5 states",
                "at most 4");
            Refusal.ofArgument(
                () -> subject.builder(new OwnRule("mine", 1, 5, 0)).build(), "5 scalars");
            Refusal.ofArgument(
                () -> subject.builder(new OwnRule("mine", 1, 0, 5)).build(), "5 sums");
          });
      try (Plan plan = subject.builder(new OwnRule("mine", 4, 4, 4)).build()) {
        plan.step();
        assertEquals(1, plan.stepCount(0));
      }
    }
  }
}
