package org.fettle.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.fettle.DType;
import org.fettle.Hyper;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.rules.Sgd;
import org.junit.jupiter.api.Test;

/** What golden vectors of later rules will need, by rules of its own. */
class RuleReplayTest {
  private static List<Comparison> replay(GoldenCase golden, Rule rule) {
    Outputs outputs = new Outputs();
    try (Workbench bench = new Workbench("java")) {
      RuleReplay.replay(golden, rule, bench, outputs);
    }
    return GoldenFiles.compare(golden, outputs);
  }

  private static void assertPasses(GoldenCase golden, Rule rule) {
    for (Comparison comparison : replay(golden, rule)) {
      assertTrue(comparison.passed(), comparison.toString());
    }
  }

  /** SGD with random scaling, from its golden vector: a number of every step as input. */
  private record Scaled(double lr, double beta, double mu) implements Rule {
    static Scaled of(Hyper hyper) {
      return new Scaled(hyper.number("lr"), hyper.number("beta"), hyper.number("mu"));
    }

    @Override
    public String id() {
      return "scaled";
    }

    @Override
    public List<String> states() {
      return List.of("delta");
    }

    @Override
    public List<String> inputs() {
      return List.of("scale");
    }

    @Override
    public double[] hyper() {
      return new double[] {lr, beta, mu, 0};
    }

    @Override
    public void coefficients(StepContext step, float[] c) {
      c[0] = (float) (beta / (1 + lr * mu));
      c[1] = (float) step.input(0);
    }

    @Override
    public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
      for (int i = 0; i < n; i++) {
        state[0][i] = (state[0][i] - (float) lr * g[i]) * c[0];
        p[i] += c[1] * state[0][i];
      }
    }
  }

  @Test
  void numbersOfEveryStep() throws IOException {
    GoldenCase golden =
        GoldenCase.read(GoldenFiles.resource("replay/sgdm-random-scaling-01.safetensors"));
    assertPasses(golden, Scaled.of(golden.hyper()));
  }

  @Test
  void aStepWithoutAnInputIsRefused() {
    Tensor value = Tensor.allocate(DType.F32, 3);
    Tensor gradient = Tensor.allocate(DType.F32, 3);
    try (Plan plan =
        Plan.builder()
            .group(new Scaled(0.1, 0.9, 0), Parameter.of(value, gradient))
            .backend(org.fettle.Backend.named("java"))
            .build()) {
      assertTrue(
          assertThrows(IllegalArgumentException.class, plan::step)
              .getMessage()
              .contains("no input scale: expected one for group 0"));
      assertEquals(0, plan.stepCount(0));
      plan.step(new Step().skip(0, true));
      plan.step(new Step().input("scale", 2));
      assertEquals(1, plan.stepCount(0));
      Step step = new Step();
      assertThrows(IllegalArgumentException.class, () -> step.input("scale", Double.NaN));
    }
  }

  /** Adds two states to the parameter; keeps the sum of its steps as a scalar. */
  private record Adding() implements Rule {
    @Override
    public String id() {
      return "adding";
    }

    @Override
    public double lr() {
      return 1;
    }

    @Override
    public List<String> states() {
      return List.of("v", "hv");
    }

    @Override
    public List<String> scalars() {
      return List.of("d");
    }

    @Override
    public double[] hyper() {
      return new double[] {1};
    }

    @Override
    public void coefficients(StepContext step, float[] c) {
      step.scalar(0, step.scalar(0) + step.step());
    }

    @Override
    public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
      for (int i = 0; i < n; i++) {
        state[0][i] += g[i];
        p[i] += state[0][i] + state[1][i];
      }
    }
  }

  private static final List<Long> ONE = List.of(1L);
  private static final List<Long> TWO = List.of(2L);
  private static final List<Long> ROWS = List.of(2L, 1L);

  @Test
  void startsSuppliedTensorsAndSeveralTensors() {
    GoldenCase golden =
        new GoldenFiles.Builder("prodigy", 2)
            .input("param0_0", ONE, 1)
            .input("param0_1", TWO, 1, 2)
            .input("grad_0", ROWS, 1, 1)
            .input("grad_1", List.of(2L, 2L), 0, 0, 4, 4)
            .input("v0_0", ONE, 10)
            .input("hv_0", ROWS, 100, 200)
            .input("d0_0", ONE, 0.5)
            .output("param_0", ROWS, 112, 324)
            .output("v_0", ROWS, 11, 12)
            .output("hv_0", ROWS, 100, 200)
            .output("param_1", List.of(2L, 2L), 1, 2, 5, 6)
            .output("v_1", List.of(2L, 2L), 0, 0, 4, 4)
            .output("d_1", List.of(2L), 1, 3)
            .output("d", List.of(2L), 1.5, 3.5)
            .build();
    assertPasses(golden, new Adding());
  }

  @Test
  void stepByStepMethodsStartFromTheRowBefore() {
    // The first row is wrong; the second is right from there on.
    GoldenFiles.Builder builder =
        new GoldenFiles.Builder("lion-8bit", 2)
            .input("param0", ONE, 1)
            .input("grad", ROWS, 1, 2)
            .output("param", ROWS, 5, 3);
    String wrong = replay(builder.build(), new Sgd().withLr(1)).get(0).toString();
    assertTrue(wrong.startsWith("param: step 1, index [0, 0], expected 5.0, ours 0.0"), wrong);
    builder.output("param", ROWS, 0, -2);
    assertPasses(builder.build(), new Sgd().withLr(1));
  }

  @Test
  void everyMethodHasOneClass() {
    List<String> without = new ArrayList<>();
    for (String method : Replays.methods()) {
      if (Limits.classOf(method).isEmpty()) {
        without.add(method);
      }
    }
    assertEquals(List.of(), without);
    assertFalse(Replays.methods().isEmpty());
  }
}
