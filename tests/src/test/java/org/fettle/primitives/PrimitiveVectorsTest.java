package org.fettle.primitives;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Gradients;
import org.fettle.NormLoss;
import org.fettle.Parameter;
import org.fettle.Perturbation;
import org.fettle.StableMax;
import org.fettle.Tensor;
import org.fettle.WeightCompander;
import org.fettle.rules.AdEMAMix;
import org.fettle.testkit.Machine;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The golden vectors of the primitives, on every backend in this process's memory. */
class PrimitiveVectorsTest {
  // The classes of the vectors' table: one or two roundings, elementwise, with a reduction.
  private static final double S = 2.5e-7;
  private static final double F = 2e-6;
  private static final double R = 5e-6;

  static Stream<Backend> backends() {
    return Machine.hostBackends().stream();
  }

  private static void check(String what, double[] expected, double[] actual, double limit) {
    assertEquals(expected.length, actual.length, what);
    double most = 0;
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      if (Double.isFinite(expected[i])) {
        most = Math.max(most, Math.abs(expected[i]));
        error = Math.max(error, Math.abs(expected[i] - actual[i]));
        assertTrue(Double.isFinite(actual[i]), what + " " + i + " is " + actual[i]);
      } else {
        assertEquals(expected[i], actual[i], what + " " + i);
      }
    }
    double allowed = limit * most;
    assertTrue(error <= allowed, what + ": error " + error + ", allowed " + allowed);
  }

  private static void check(String what, double[] expected, Tensor actual, double limit) {
    check(what, expected, Vector.values(actual), limit);
  }

  private static void check(String what, double[] expected, double actual, double limit) {
    check(what, expected, new double[] {actual}, limit);
  }

  private static void checkMoved(
      String what, double[] expected, Tensor actual, double[] start, double limit) {
    check(what, expected, actual, limit);
    double[] values = Vector.values(actual);
    double most = 0;
    double moved = 0;
    double error = 0;
    for (int i = 0; i < start.length; i++) {
      most = Math.max(most, Math.abs(start[i]));
      moved = Math.max(moved, Math.abs(expected[i] - start[i]));
      error = Math.max(error, Math.abs(expected[i] - values[i]));
    }
    double allowed = 2e-6 * most + 1e-5 * moved;
    assertTrue(error <= allowed, what + ": displacement off by " + error + " of " + allowed);
  }

  private static Tensor like(Tensor tensor) {
    return Tensor.allocate(DType.F32, tensor.shape());
  }

  @ParameterizedTest
  @MethodSource("backends")
  void unscale(Backend backend) {
    Vector vector = new Vector("unscale-01");
    Tensor g = vector.tensor("grad");
    boolean found = Gradients.on(backend).unscale(vector.number("scale"), List.of(g));
    check("out", vector.array("out"), g, S);
    assertEquals(vector.array("found_inf")[0], found ? 1 : 0);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void clipping(Backend backend) {
    Gradients gradients = Gradients.on(backend);
    for (String name : List.of("clip-global-norm-01", "clip-global-norm-02")) {
      Vector vector = new Vector(name);
      List<Tensor> g = List.of(vector.tensor("grad1"), vector.tensor("grad2"));
      double norm = gradients.clipByGlobalNorm(vector.number("max_norm"), Gradients.Norm.TWO, g);
      check("norm", vector.array("norm"), norm, S);
      check("out1", vector.array("out1"), g.get(0), S);
      check("out2", vector.array("out2"), g.get(1), S);
    }
    Vector byTensor = new Vector("clip-tensor-norm-01");
    Tensor g = byTensor.tensor("grad");
    double[] norms =
        gradients.clipByTensorNorm(byTensor.number("max_norm"), Gradients.Norm.TWO, List.of(g));
    check("norm", byTensor.array("norm"), norms, S);
    check("out", byTensor.array("out"), g, S);
    Vector byValue = new Vector("clip-value-01");
    g = byValue.tensor("grad");
    gradients.clipByValue(byValue.number("clip_value"), List.of(g));
    check("out", byValue.array("out"), g, S);
    for (String name : List.of("clip-pixel-01", "clip-pixel-02")) {
      Vector vector = new Vector(name);
      g = vector.tensor("grad");
      gradients.clipByPixel(
          vector.number("clip_value"),
          vector.hyper("kind").getAsString().equals("hard")
              ? Gradients.PixelClip.HARD
              : Gradients.PixelClip.SOFT,
          List.of(g));
      check("out", vector.array("out"), g, F);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void samAndAsam(Backend backend) {
    for (String name : List.of("sam-01", "sam-02", "asam-01")) {
      Vector vector = new Vector(name);
      Tensor w1 = vector.tensor("w1");
      Tensor w2 = vector.tensor("w2");
      List<Parameter> parameters =
          List.of(
              Parameter.of(w1, vector.tensor("grad1")).named("layer.weight"),
              Parameter.of(w2, vector.tensor("grad2")).named("layer.bias"));
      double rho = vector.number("rho");
      try (Perturbation perturbation =
          name.startsWith("sam")
              ? Perturbation.sam(backend, rho, vector.hyper("adaptive").getAsBoolean(), parameters)
              : Perturbation.asam(
                  backend,
                  rho,
                  vector.number("eta"),
                  parameter -> parameter.name().contains("weight"),
                  parameters)) {
        double norm = perturbation.ascend();
        if (name.startsWith("sam")) {
          check("norm", vector.array("norm"), norm, R);
        }
        checkMoved(name, vector.array("perturbed1"), w1, vector.array("w1"), R);
        checkMoved(name, vector.array("perturbed2"), w2, vector.array("w2"), R);
        perturbation.restore();
        assertArrayEquals(vector.array("w1"), Vector.values(w1));
        assertArrayEquals(vector.array("w2"), Vector.values(w2));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void awp(Backend backend) {
    for (String name : List.of("awp-01", "awp-02")) {
      Vector vector = new Vector(name);
      Tensor w = vector.tensor("w");
      Tensor proxy = vector.tensor("proxy");
      Tensor direction = like(w);
      Perturbation.awpDirection(backend, w, proxy, direction);
      check("diff", vector.array("diff"), direction, R);
      try (Perturbation perturbation =
          Perturbation.awp(backend, vector.number("gamma"), List.of(w), List.of(proxy))) {
        perturbation.ascend();
        checkMoved(name, vector.array("perturbed"), w, vector.array("w"), R);
        perturbation.restore();
        assertArrayEquals(vector.array("w"), Vector.values(w));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void perpgrad(Backend backend) {
    for (String name : List.of("perpgrad-01", "perpgrad-02")) {
      Vector vector = new Vector(name);
      Tensor w = vector.tensor("w");
      Tensor out = like(w);
      Gradients.on(backend).perpendicular(List.of(w), List.of(vector.tensor("grad")), List.of(out));
      check("out", vector.array("out"), out, R);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void normLoss(Backend backend) {
    for (String name : List.of("norm-loss-01", "norm-loss-02")) {
      Vector vector = new Vector(name);
      Tensor w = vector.tensor("w");
      Tensor gradient = like(w);
      NormLoss loss = new NormLoss(vector.number("lambda"));
      check("loss", vector.array("loss"), loss.gradient(backend, w, gradient), R);
      check("grad", vector.array("grad"), gradient, R);
      check("loss", vector.array("loss"), loss.loss(backend, w), R);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void weightCompander(Backend backend) {
    for (String name : List.of("weight-compander-01", "weight-compander-02")) {
      Vector vector = new Vector(name);
      WeightCompander compander = new WeightCompander(vector.number("a"), vector.number("b"));
      Tensor v = vector.tensor("v");
      Tensor w = like(v);
      compander.forward(backend, v, w);
      check("w", vector.array("w"), w, R);
      Tensor gradient = vector.tensor("grad_w");
      WeightCompander.ConstantGradients sums = compander.backward(backend, v, gradient, gradient);
      check("grad_v", vector.array("grad_v"), gradient, R);
      check("grad_a", vector.array("grad_a"), sums.a(), 2e-5);
      check("grad_b", vector.array("grad_b"), sums.b(), 2e-5);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void stableMax(Backend backend) {
    for (String name : List.of("stablemax-01", "stablemax-02")) {
      Vector vector = new Vector(name);
      Tensor logits = vector.tensor("logits");
      long[] labels = Arrays.stream(vector.array("labels")).mapToLong(x -> (long) x).toArray();
      Tensor out = like(logits);
      StableMax.logProbabilities(backend, logits, out);
      check("logprob", vector.array("logprob"), out, R);
      double[] probabilities = Arrays.stream(vector.array("logprob")).map(Math::exp).toArray();
      StableMax.probabilities(backend, logits, out);
      check("probabilities", probabilities, out, R);
      check("loss", vector.array("loss"), StableMax.crossEntropy(backend, logits, labels), R);
      check("loss", vector.array("loss"), StableMax.crossEntropy(backend, logits, labels, out), R);
      check("grad", vector.array("grad"), out, R);
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void ademamixSchedule(Backend backend) {
    Vector vector = new Vector("ademamix-schedule-01");
    long warmup = (long) vector.number("warmup");
    AdEMAMix rule =
        new AdEMAMix()
            .withBeta1(vector.number("beta_start"))
            .withBeta3(vector.number("beta_end"))
            .withAlpha(vector.number("alpha_end"))
            .withAlphaWarmup(warmup)
            .withBeta3Warmup(warmup);
    double[] steps = vector.array("step");
    double[] alpha = Arrays.stream(steps).map(t -> rule.alphaAt((long) t)).toArray();
    double[] beta3 = Arrays.stream(steps).map(t -> rule.beta3At((long) t)).toArray();
    check("alpha", vector.array("alpha"), alpha, 1e-9);
    check("beta3", vector.array("beta3"), beta3, 1e-9);
  }
}
