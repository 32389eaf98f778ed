package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.fettle.Average;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.GradientClip;
import org.fettle.Hyper;
import org.fettle.Range;
import org.fettle.Rules;
import org.fettle.Step;
import org.fettle.rules.AdamW;
import org.junit.jupiter.api.Test;

/** Numbers, names and words out of range. */
class ValuesMisuseTest {
  private static final double[] NOT_FINITE = {
    Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY
  };

  @Test
  @Misuses({
    "Step.lr(double)",
    "Step.lr(int, double)",
    "Step.lossScale(double)",
    "Step.skip(int, boolean)",
    "Step.lrOf(int, double)",
    "Step.skips(int)",
    "Step.input(String, double)",
    "Step.input(String)"
  })
  void steps() {
    Step step = new Step().lr(0.5).lr(1, 0.25).skip(2, true).lossScale(8);
    for (double wrong : NOT_FINITE) {
      Refusal.ofArgument(() -> step.lr(wrong), "lr is " + wrong, "finite and >= 0");
      Refusal.ofArgument(() -> step.lr(1, wrong), "lr is " + wrong);
      Refusal.ofArgument(() -> step.input("loss", wrong), "loss is " + wrong, "finite");
      Refusal.ofArgument(() -> step.lossScale(wrong), "lossScale is " + wrong, "finite and > 0");
    }
    Refusal.ofArgument(() -> step.lr(-1e-300), "lr is -1.0E-300");
    Refusal.ofArgument(() -> step.lr(0, -1), "lr is -1.0");
    Refusal.ofArgument(() -> step.lossScale(0), "lossScale is 0.0");
    Refusal.ofArgument(() -> step.lossScale(-1), "lossScale is -1.0");
    for (int group : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 1 << 16}) {
      Refusal.ofArgument(() -> step.lr(group, 0.1), "group is " + group, "0 to 65535");
      Refusal.ofArgument(() -> step.skip(group, true), "group is " + group);
    }
    Refusal.ofArgument(() -> step.lrOf(-1, 1), "group is -1");
    Refusal.ofArgument(() -> step.skips(-1), "group is -1");
    Refusal.ofNull(() -> step.input(null, 1));
    assertTrue(Double.isNaN(step.input("loss")) && Double.isNaN(step.input(null)));
    assertEquals(-2, step.input("loss", 1).input("loss", -2).input("loss"));
    assertEquals(3, step.groups());
    assertEquals(0.5, step.lrOf(0, 9));
    assertEquals(0.25, step.lrOf(1, 9));
    assertEquals(0.5, step.lrOf(2, 9));
    assertEquals(0.5, step.lrOf(3, 9));
    assertEquals(8, step.lossScale());
    assertTrue(step.skips(2));
    assertFalse(step.skips(1) || step.skips(99));
    assertEquals(0.75, step.lr(0.75).lrOf(1, 9), "a common rate replaces those of the groups");
  }

  @Test
  @Misuses({
    "Average.new(double)",
    "Average.new(double, Warmup, long, double, long)",
    "Average.withWarmup(Warmup, long, double)",
    "Average.withInterval(long)",
    "Average.factor(long)",
    "Average.movesAt(long)",
    "Average.halfLife(double, double)",
    "Average.power(double)",
    "Average.uniform(long, long)",
    "Average.lookahead(double, long)"
  })
  void averages() {
    Average good = new Average(0.9);
    for (double wrong : new double[] {Double.NaN, -0.001, 1.001, Double.POSITIVE_INFINITY}) {
      Refusal.ofArgument(() -> new Average(wrong), "average decay is " + wrong, "in [0, 1]");
      Refusal.ofArgument(
          () -> good.withWarmup(Average.Warmup.LINEAR, 1, wrong), "warmupRatio is " + wrong);
    }
    Refusal.ofArgument(() -> good.withWarmup(Average.Warmup.LINEAR, -1, 0.5), "warmupSteps is -1");
    Refusal.ofArgument(() -> good.withInterval(0), "interval is 0", ">= 1");
    Refusal.ofNull(() -> good.withWarmup(null, 1, 0.5));
    Refusal.ofNull(() -> new Average(0.9, null, 0, 0, 1));
    Refusal.ofArgument(() -> good.factor(0), "step is 0", ">= 1");
    Refusal.ofArgument(() -> good.movesAt(-1), "step is -1");
    Refusal.ofArgument(() -> Average.halfLife(0, 0.09), "half-life is 0.0");
    Refusal.ofArgument(() -> Average.halfLife(1, 1.5), "rampUp is 1.5", "in (0, 1]");
    Refusal.ofArgument(() -> Average.power(0.31), "0.31");
    Refusal.ofArgument(() -> Average.power(Double.NaN), "NaN");
    Refusal.ofArgument(() -> Average.uniform(-1, 1), "warmupSteps is -1");
    Refusal.ofArgument(() -> Average.uniform(0, 0), "interval is 0");
    Refusal.ofArgument(() -> Average.lookahead(1.5, 5), "alpha is 1.5", "in [0, 1]");
    Refusal.ofArgument(() -> Average.lookahead(Double.NaN, 5), "alpha is NaN");
    Refusal.ofArgument(() -> Average.lookahead(0.5, 0), "interval is 0");
    assertEquals(1, new Average(1).decay());
    assertEquals(0, new Average(0).decay());
  }

  @Test
  @Misuses({
    "GradientClip.new(double, Norm, double)",
    "GradientClip.byValue(double)",
    "GradientClip.byTensorNorm(double)",
    "GradientClip.byGlobalNorm(double)",
    "GradientClip.withValue(double)"
  })
  void clips() {
    for (double wrong : new double[] {Double.NaN, 0, -1, Double.NEGATIVE_INFINITY}) {
      Refusal.ofArgument(() -> GradientClip.byValue(wrong), "clip value is " + wrong, "> 0");
      Refusal.ofArgument(() -> GradientClip.NONE.withValue(wrong), "clip value is " + wrong);
      Refusal.ofArgument(() -> GradientClip.byTensorNorm(wrong), "maxNorm is " + wrong);
      Refusal.ofArgument(() -> GradientClip.byGlobalNorm(wrong), "maxNorm is " + wrong);
    }
    Refusal.ofArgument(
        () -> GradientClip.byGlobalNorm(Double.POSITIVE_INFINITY), "maxNorm is Infinity", "finite");
    Refusal.ofNull(() -> new GradientClip(1, null, 1));
  }

  @Test
  @Misuses({"Device.new(Kind, int)", "Device.cuda(int)", "DType.bytes(long)"})
  void devicesAndFormats() {
    Refusal.ofArgument(() -> Device.cuda(-1), "device index -1 of CUDA", "expected >= 0");
    Refusal.ofArgument(() -> new Device(Device.Kind.CPU, 1), "device index 1 of CPU", "expected 0");
    Refusal.ofNull(() -> new Device(null, 0));
    for (DType dtype : DType.values()) {
      Refusal.ofArgument(() -> dtype.bytes(-1), "elements is -1");
    }
    Refusal.of(ArithmeticException.class, () -> DType.F32.bytes(1L << 62));
  }

  @Test
  @Misuses("Backend.named(String)")
  void backends() {
    Refusal.ofNull(() -> Backend.named(null));
    for (String name : List.of("", "CPU", "cpu-v5", "gpu", "java ")) {
      Refusal.ofArgument(() -> Backend.named(name), "backend " + name, "expected java, cpu");
    }
    for (Backend.Availability one : Backend.all()) {
      assertEquals(one.reason() == null, one.isAvailable());
      if (!one.isAvailable()) {
        Refusal.ofState(
            () -> Backend.named(one.name()),
            "backend " + one.name(),
            "not available",
            one.reason());
      }
    }
  }

  @Test
  @Misuses({
    "Hyper.new(Map)",
    "Hyper.has(String)",
    "Hyper.number(String)",
    "Hyper.number(String, double)",
    "Hyper.flag(String)",
    "Hyper.flag(String, boolean)",
    "Hyper.word(String)",
    "Hyper.numbers(String)",
    "Hyper.unsigned(String)"
  })
  void namedOptions() {
    Refusal.ofNull(() -> new Hyper(null));
    Map<String, Object> values = new HashMap<>();
    values.put("lr", 0.5);
    values.put("amsgrad", true);
    values.put("mode", "fast");
    values.put("none", null);
    Hyper hyper = new Hyper(values);
    values.clear();
    Refusal.ofArgument(() -> hyper.number("eps"), "eps is missing", "lr", "amsgrad");
    Refusal.ofArgument(() -> hyper.number("amsgrad"), "amsgrad is true", "expected a number");
    Refusal.ofArgument(() -> hyper.number("mode"), "mode is fast", "expected a number");
    Refusal.ofArgument(() -> hyper.number("none"), "none is null", "expected a number");
    Refusal.ofArgument(() -> hyper.flag("lr"), "lr is 0.5", "expected true or false");
    Refusal.ofArgument(() -> hyper.flag("eps"), "eps is missing");
    Refusal.ofArgument(() -> hyper.unsigned("eps"), "eps is missing");
    Refusal.ofArgument(() -> hyper.unsigned("lr"), "lr is 0.5", "unsigned 64-bit");
    Refusal.ofArgument(() -> hyper.unsigned("none"), "none is null");
    assertEquals(-1, new Hyper(Map.of("seed", "18446744073709551615")).unsigned("seed"));
    Refusal.ofArgument(() -> hyper.word("lr"), "lr is 0.5", "expected a word");
    Refusal.ofArgument(() -> hyper.numbers("lr"), "lr is 0.5", "expected a list of numbers");
    Refusal.ofArgument(() -> hyper.number("mode", 1), "mode is fast");
    Refusal.ofArgument(() -> hyper.flag("mode", true), "mode is fast");
    assertFalse(hyper.has("none") || hyper.has("eps"));
    assertEquals(7, hyper.number("none", 7));
    assertEquals(List.of(), hyper.unread());
  }

  @Test
  @Misuses({"Rules.of(String, Hyper)", "Rules.number(String)"})
  void rulesByName() {
    Hyper none = new Hyper(Map.of());
    Refusal.ofArgument(() -> Rules.of("adamx", none), "unknown method adamx", "adamw", "lion");
    Refusal.ofNull(() -> Rules.of(null, none));
    Refusal.ofNull(() -> Rules.of("adamw", null));
    Refusal.ofArgument(
        () -> Rules.of("adamw", new Hyper(Map.of("lr", 1, "momemtum", 0.9))),
        "method adamw has no option [momemtum]");
    Refusal.ofArgument(() -> Rules.of("adamw", new Hyper(Map.of("lr", "high"))), "lr is high");
    Refusal.ofArgument(() -> Rules.of("adamw", new Hyper(Map.of("lr", -1))), "lr is -1.0");
    assertEquals(-1, Rules.number("adamx"));
    assertEquals(-1, Rules.number(null));
    assertEquals(new AdamW(), Rules.of("adamw", none));
  }

  @Test
  @Misuses({
    "Range.check(String, double, boolean, String)",
    "Range.check(String, long, boolean, String)",
    "Range.nonNegative(String, double)",
    "Range.positive(String, double)",
    "Range.fraction(String, double)",
    "Range.finite(String, double)"
  })
  void ranges() {
    for (double wrong : NOT_FINITE) {
      Refusal.ofArgument(() -> Range.nonNegative("x", wrong), "x is " + wrong);
      Refusal.ofArgument(() -> Range.positive("x", wrong), "x is " + wrong);
      Refusal.ofArgument(() -> Range.fraction("x", wrong), "x is " + wrong);
      Refusal.ofArgument(() -> Range.finite("x", wrong), "x is " + wrong, "expected finite");
    }
    Refusal.ofArgument(() -> Range.nonNegative("x", -Double.MIN_VALUE), "x is -4.9E-324");
    Refusal.ofArgument(() -> Range.positive("x", 0), "x is 0.0", "finite and > 0");
    Refusal.ofArgument(() -> Range.fraction("x", 1), "x is 1.0", "in [0, 1)");
    Refusal.ofArgument(() -> Range.check("x", 1.5, false, "y"), "x is 1.5: expected y");
    Refusal.ofArgument(() -> Range.check("x", 3L, false, "y"), "x is 3: expected y");
    Range.nonNegative("x", -0.0);
    Range.fraction("x", 0);
    Range.finite("x", -Double.MAX_VALUE);
    Range.check("x", 0.0, true, "");
  }
}
