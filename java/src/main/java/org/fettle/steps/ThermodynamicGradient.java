package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;

/**
 * The natural gradient as the mean of a stochastic process, simulated: what an analog device would
 * relax to.
 *
 * <pre>
 * F = J' J / r ;  x = x - dt * (F x + damping * x - g) + sqrt(2 dt * inverseTemperature) * xi
 * equilibrium: (F + damping I)^-1 g
 * </pre>
 *
 * <p>x starts at 0. Stable for {@code dt < 2 / (largest eigenvalue of F + damping)}; without noise
 * it is gradient descent on a quadratic and saves nothing over conjugate gradients. The walk has
 * the same bits on every backend: inner products in double in the fixed order, x kept as float.
 * Source: arXiv:2405.13817, abstract and introduction; the discretisation is ours.
 */
public final class ThermodynamicGradient extends StepObject {
  private final Options options;
  private final Tensor jacobian;
  private final Tensor gradient;
  private final int rows;
  private final Tensor state;
  private final List<Batch.Item> products = new ArrayList<>();

  /**
   * The hyperparameters.
   *
   * @param damping positive; default 0.1
   * @param dt step of the simulation, positive; default 0.05
   * @param inverseTemperature 1 / kappa, the strength of the noise; 0 for none; default 0
   */
  public record Options(double damping, double dt, double inverseTemperature) {
    /** Checks the hyperparameters. */
    public Options {
      Range.positive("damping", damping);
      Range.positive("dt", dt);
      Range.nonNegative("inverseTemperature", inverseTemperature);
    }

    /** The defaults. */
    public Options() {
      this(0.1, 0.05, 0);
    }
  }

  /**
   * A walk that starts at 0.
   *
   * @param jacobian J: r x elements, F32
   * @param gradient g, F32
   */
  public ThermodynamicGradient(Backend backend, Options options, Tensor jacobian, Tensor gradient) {
    super(backend);
    this.options = options;
    this.jacobian = jacobian;
    this.gradient = gradient;
    checks().reads("jacobian", jacobian).reads("gradient", gradient).done();
    Kernels.f32("jacobian", jacobian);
    Kernels.f32("gradient", gradient);
    if (jacobian.rank() < 1
        || jacobian.shape()[0] < 1
        || jacobian.elements() != jacobian.shape()[0] * gradient.elements()) {
      throw new IllegalArgumentException(
          "jacobian is " + jacobian + ": expected rows of " + gradient.elements());
    }
    rows = Math.toIntExact(jacobian.shape()[0]);
    state = allocate(gradient.elements());
    for (int i = 0; i < rows; i++) {
      products.add(
          Batch.Item.of(
              Primitive.DOT, Shapes.view(Shapes.row(jacobian, i), gradient.elements()), state));
    }
  }

  /**
   * One step of the simulation.
   *
   * @param noise standard normal draws, one per element, F32; may be null without a temperature
   */
  public void step(Tensor noise) {
    if (noise != null) {
      Access.checks(backend()).readsLike("noise", noise, gradient).done();
      Kernels.f32("noise", noise);
    } else if (options.inverseTemperature != 0) {
      throw new IllegalArgumentException("noise is null: expected draws for a temperature");
    }
    enter();
    try {
      double[] weights = Kernels.sums(engine, products);
      for (int i = 0; i < rows; i++) {
        weights[i] *= -options.dt / rows;
      }
      Tensor draws = options.inverseTemperature == 0 ? null : noise;
      double scale = Math.sqrt(2 * options.dt * options.inverseTemperature);
      new RowCombination(engine, jacobian)
          .noise(draws, scale)
          .keep(state, 1.0 - options.dt * options.damping)
          .run(weights, 1, state);
      Kernels.run(
          engine,
          Primitive.ADD_SCALED,
          new double[] {options.dt},
          state,
          Shapes.view(gradient, gradient.elements()),
          state);
    } finally {
      leave();
    }
  }

  /** x, flat: a view that lives as long as this. */
  public Tensor state() {
    return open(state);
  }

  /** The mean of the process at rest, in double: what the walk comes to without noise. */
  public double[] equilibrium() {
    enter();
    try {
      double[] g = Matrix.read(engine, gradient);
      double[] j = Matrix.read(engine, jacobian);
      int n = g.length;
      Matrix gram = Matrix.zeros(rows, rows);
      Matrix right = Matrix.zeros(rows, 1);
      for (int a = 0; a < rows; a++) {
        for (int i = 0; i < n; i++) {
          right.values()[a] += j[a * n + i] * g[i];
        }
        for (int b = 0; b <= a; b++) {
          double sum = 0;
          for (int i = 0; i < n; i++) {
            sum += j[a * n + i] * j[b * n + i];
          }
          gram.set(a, b, sum);
          gram.set(b, a, sum);
        }
      }
      // (J' J / r + damping I)^-1 g = (g - J' (r damping I + J J')^-1 J g) / damping
      Matrix c = Algebra.host().solve(gram.addToDiagonal(rows * options.damping), right);
      if (c == null) {
        throw new ArithmeticException("jacobian is not finite: there is no equilibrium");
      }
      for (int a = 0; a < rows; a++) {
        for (int i = 0; i < n; i++) {
          g[i] -= j[a * n + i] * c.values()[a];
        }
      }
      for (int i = 0; i < n; i++) {
        g[i] /= options.damping;
      }
      return g;
    } finally {
      leave();
    }
  }
}
