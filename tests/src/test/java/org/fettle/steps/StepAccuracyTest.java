package org.fettle.steps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;
import org.fettle.replay.Workbench;
import org.fettle.testkit.Machine;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The traps that the methods' descriptions name. */
class StepAccuracyTest {
  static List<Backend> backends() {
    return Machine.productBackends();
  }

  private static float[] draws(SplittableRandom random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) (random.nextDouble() - 0.5) * 2;
    }
    return values;
  }

  private static double worst(double[] expected, float[] actual) {
    double largest = 0;
    double error = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      error = Math.max(error, Math.abs(expected[i] - actual[i]));
    }
    return error / largest;
  }

  /** The bracket loses log10(|g|^2 / (m damping)) digits, here more than six. */
  @ParameterizedTest
  @MethodSource("backends")
  void mfacKeepsItsDigitsWithLittleDamping(Backend backend) {
    int m = 4;
    int n = 60;
    double damping = 1e-6;
    SplittableRandom random = new SplittableRandom(5);
    Matrix fisher = Matrix.diagonal(n, damping);
    float[] last = null;
    try (Workbench bench = new Workbench(backend.name())) {
      Parameter parameter =
          Parameter.of(bench.tensor(new float[n], n), bench.tensor(new float[n], n));
      try (MFac step =
          new MFac(backend, new MFac.Options(0.01, 0, 0, m, damping, false), List.of(parameter))) {
        for (int t = 0; t < m; t++) {
          last = draws(random, n);
          bench.put(parameter.gradient(), last);
          step.step();
          for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
              fisher.set(i, j, fisher.get(i, j) + (double) last[i] * last[j] / m);
            }
          }
        }
        Matrix g = Matrix.zeros(n, 1);
        for (int i = 0; i < n; i++) {
          g.set(i, 0, last[i]);
        }
        double[] expected = Algebra.host().solve(fisher, g).values();
        double error = worst(expected, bench.floats(step.direction(0)));
        Machine.say("M-FAC", String.format("%s: error %.1e", backend, error));
        assertTrue(error < 1e-6, backend + ": error " + error);
      }
    }
  }

  /** p0 - p cancels while d is small: formed in float, the sum must still be exact. */
  @ParameterizedTest
  @MethodSource("backends")
  void prodigysProductIsExactForWhatFloatsCanHold(Backend backend) {
    int n = 3000;
    SplittableRandom random = new SplittableRandom(6);
    float[] start = draws(random, n);
    float[] gradient = draws(random, n);
    try (Workbench bench = new Workbench(backend.name())) {
      Parameter parameter = Parameter.of(bench.tensor(start, n), bench.tensor(gradient, n));
      ProdigyOptions options = new ProdigyOptions();
      try (Prodigy step = new Prodigy(backend, options, List.of(parameter))) {
        double numerator = 0;
        for (int t = 0; t < 5; t++) {
          float[] p = bench.floats(parameter.value());
          double d = step.d();
          double sum = 0;
          for (int i = 0; i < n; i++) {
            sum += (double) gradient[i] * (start[i] - p[i]);
          }
          numerator = options.beta3() * numerator + d / options.d0() * d * sum;
          step.step();
          assertEquals(numerator, step.numerator(), 1e-12 * Math.abs(numerator) + 1e-300);
        }
        assertTrue(step.d() > options.d0(), "d has grown");
      }
    }
  }

  /** Ten iterations multiply the noise of a null space by 2e5; the true spaces stay good. */
  @ParameterizedTest
  @MethodSource("backends")
  void newtonSchulzIsGoodOnTheSpacesOfAMatrixWithoutFullRank(Backend backend) {
    int rows = 24;
    int columns = 40;
    int rank = 3;
    SplittableRandom random = new SplittableRandom(7);
    float[] a = draws(random, rows * rank);
    float[] b = draws(random, rank * columns);
    float[] g = new float[rows * columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        double sum = 0;
        for (int k = 0; k < rank; k++) {
          sum += (double) a[i * rank + k] * b[k * columns + j];
        }
        g[i * columns + j] = (float) sum;
      }
    }
    NewtonSchulz.Options options = new NewtonSchulz.Options(3.4445, -4.7750, 2.0315, 1e-7, 10);
    try (Workbench bench = new Workbench(backend.name())) {
      Tensor input = bench.tensor(g, rows, columns);
      Tensor output = bench.tensor(new float[g.length], rows, columns);
      try (NewtonSchulz iteration = new NewtonSchulz(backend, options, input, output)) {
        iteration.run();
      }
      Engine engine = Access.engine(backend);
      Algebra.Singular singular = Algebra.host().singular(Matrix.of(engine, input, rows, columns));
      Matrix x = Matrix.of(engine, output, rows, columns);
      double worst = 0;
      for (int p = 0; p < rank; p++) {
        for (int q = 0; q < rank; q++) {
          double inner = 0;
          for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
              inner += singular.left().get(i, p) * x.get(i, j) * singular.right().get(j, q);
            }
          }
          double expected =
              p == q ? iterated(singular.values()[p], norm(singular.values()), options) : 0;
          worst = Math.max(worst, Math.abs(inner - expected));
        }
      }
      Machine.say("rank 3", String.format("%s: error %.1e on the true spaces", backend, worst));
      assertTrue(worst < 2e-3, backend + ": error " + worst);
    }
  }

  private static double norm(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }

  private static double iterated(double value, double norm, NewtonSchulz.Options options) {
    double s = value / (norm + options.eps());
    for (int k = 0; k < options.iterations(); k++) {
      double q = s * s;
      s = s * (options.a() + options.b() * q + options.c() * q * q);
    }
    return s;
  }
}
