package org.fettle.steps;

import java.util.List;
import java.util.Map;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;

/**
 * Riemannian Adam and AMSGrad: every row is a point of the ball or the sphere, and the first moment
 * moves along with it.
 *
 * <pre>
 * x = project(x) ;  r = Riemannian gradient of g + wd * x
 * m = ema(m, r, beta1) ;  v = ema(v, &lt;r, r&gt;_x, beta2), one number per row ;  amsgrad: its maximum
 * w = -lr * (m / c1) / (sqrt(v / c2) + eps) ;  x' = retraction of w at x, or its exponential map ;  m moves from x to x'
 * </pre>
 *
 * <p>The ball's retraction is project(x + w), which is not the exponential map. Rows are computed
 * in double and stored as float, so that points near the boundary keep their digits: the same bits
 * on every backend. All tensors are F32. Source: arXiv:1810.00760; geoopt/geoopt.
 */
public final class RiemannianAdam extends RiemannianRows {
  private final Options options;
  private long zeroRows;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 1e-3
   * @param beta1 in [0, 1); default 0.9
   * @param beta2 in [0, 1); default 0.999
   * @param eps finite and at least 0; default 1e-8
   * @param weightDecay coupled, finite and at least 0; default 0
   * @param amsgrad whether the largest second moment so far is used; default false
   * @param exact whether the exponential map takes the place of the retraction; default false
   */
  public record Options(
      double lr,
      double beta1,
      double beta2,
      double eps,
      double weightDecay,
      boolean amsgrad,
      boolean exact) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.fraction("beta1", beta1);
      Range.fraction("beta2", beta2);
      Range.nonNegative("eps", eps);
      Range.nonNegative("weightDecay", weightDecay);
    }

    /** The defaults. */
    public Options() {
      this(1e-3, 0.9, 0.999, 1e-8, 0, false, false);
    }
  }

  /**
   * A step over these parameters, whose last axis is the points', with first moments in F32;
   * moments start at 0.
   */
  public RiemannianAdam(
      Backend backend, Options options, Manifold manifold, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, manifold, parameters);
  }

  /**
   * A step over these parameters, whose last axis is the points'; moments start at 0.
   *
   * @param storage of the first moments, which are decoded to F32 for the time of a step where they
   *     are not; the second ones are one double per row
   */
  public RiemannianAdam(
      Backend backend,
      Options options,
      StateStorage storage,
      Manifold manifold,
      List<Parameter> parameters) {
    super(backend, "riemannian_adam", storage, manifold, parameters, true, options.amsgrad);
    this.options = options;
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
      stepped();
      for (One tensor : tensors) {
        zeroRows +=
            tensor.run(
                options.exact,
                options.amsgrad,
                false,
                lr,
                options.beta1,
                options.beta2,
                options.eps,
                options.weightDecay,
                manifold.curvature(),
                manifold.margin(),
                1.0 - Arithmetic.power(options.beta1, steps()),
                1.0 - Arithmetic.power(options.beta2, steps()));
      }
    } finally {
      leave();
    }
  }

  /** The first moment of a tensor: a view that lives as long as this. */
  public Tensor momentum(int tensor) {
    return open(tensors.get(tensor).moment.tensor());
  }

  /** The second moment of every row of a tensor. */
  public double[] secondMoment(int tensor) {
    return rowValues(tensors.get(tensor).second);
  }

  /** With amsgrad the largest second moment of every row of a tensor. */
  public double[] largestSecondMoment(int tensor) {
    if (!options.amsgrad) {
      throw new IllegalArgumentException("amsgrad is false: there is no largest second moment");
    }
    return rowValues(tensors.get(tensor).largest);
  }

  /** How often a row of zeros on the sphere, which is no point of it, was left alone. */
  public long zeroRows() {
    return zeroRows;
  }

  @Override
  Map<String, Double> scalars() {
    return Map.of("zero_rows", (double) zeroRows);
  }

  @Override
  void restore(Map<String, Double> scalars) {
    zeroRows = scalars.get("zero_rows").longValue();
  }
}
