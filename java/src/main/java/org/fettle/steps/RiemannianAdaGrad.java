package org.fettle.steps;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;

/**
 * Riemannian AdaGrad on the Poincare ball, one point per row.
 *
 * <pre>
 * r = Riemannian gradient ;  acc = acc + &lt;r, r&gt;_x ;  x = exponential map of -lr * r / (sqrt(acc) + eps) at x
 * </pre>
 *
 * <p>Rows in double, as {@link RiemannianAdam}; the same bits on every backend. Source:
 * arXiv:1810.00760.
 */
public final class RiemannianAdaGrad extends RiemannianRows {
  private final Options options;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 1e-3
   * @param eps finite and at least 0; default 1e-10
   */
  public record Options(double lr, double eps) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.nonNegative("eps", eps);
    }

    /** The defaults. */
    public Options() {
      this(1e-3, 1e-10);
    }
  }

  /** A step over these parameters, whose last axis is the points'; sums start at 0. */
  public RiemannianAdaGrad(
      Backend backend, Options options, Manifold manifold, List<Parameter> parameters) {
    super(
        backend, "riemannian_adagrad", StateStorage.F32, ball(manifold), parameters, false, false);
    this.options = options;
  }

  private static Manifold ball(Manifold manifold) {
    if (manifold.kind() != Manifold.Kind.BALL) {
      throw new IllegalArgumentException("manifold is " + manifold + ": expected a ball");
    }
    return manifold;
  }

  /** One step with the learning rate of the options. */
  public void step() {
    step(options.lr);
  }

  /** One step with another learning rate. */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      for (One tensor : tensors) {
        tensor.run(
            true,
            false,
            true,
            lr,
            0,
            0,
            options.eps,
            0,
            manifold.curvature(),
            manifold.margin(),
            1,
            1);
      }
      stepped();
    } finally {
      leave();
    }
  }

  /** What every row of a tensor has summed up to. */
  public double[] sums(int tensor) {
    return rowValues(tensors.get(tensor).second);
  }
}
