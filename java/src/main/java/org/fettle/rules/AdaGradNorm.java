package org.fettle.rules;

import static org.fettle.Arithmetic.fma;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdaGrad-Norm: one accumulator of squares per tensor, or one per row.
 *
 * <pre>
 * B = B + |g|^2, of the tensor or of each row
 * momentum: b = momentum * b + (1 - momentum) * g ;  d = b      else d = g
 * p = p - lr * d / (sqrt(B) + eps)
 * </pre>
 *
 * <p>The step uses the new B. State: {@code momentum} if there is one; scalar {@code b2} of a
 * tensor, or one double {@code b2} per row. A row is an index of the first axis. Two passes.
 * Source: arXiv:1806.01811; xwuShirley/pytorch.
 *
 * @param lr learning rate, finite and at least 0; default 1
 * @param momentum in [0, 1); default 0
 * @param eps outside the root, finite and at least 0; default 1e-10
 * @param initialAccumulatorValue what B starts with, finite and at least 0; default 1e-2
 * @param byRow whether every row has an accumulator of its own; default false
 */
@Method(
    names = {"adagrad-norm"},
    formula = "B += |g|^2; p -= lr d / (sqrt(B) + eps), d = g or its average",
    source = "arXiv:1806.01811; xwuShirley/pytorch",
    differs = "the authors' weight decay has no effect and is left out")
public record AdaGradNorm(
    double lr, double momentum, double eps, double initialAccumulatorValue, boolean byRow)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdaGradNorm {
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.nonNegative("eps", eps);
    Range.nonNegative("initialAccumulatorValue", initialAccumulatorValue);
  }

  /** The defaults. */
  public AdaGradNorm() {
    this(1, 0, 1e-10, 1e-2, false);
  }

  /** Makes the rule from named options. */
  public static AdaGradNorm fromHyper(String method, Hyper hyper) {
    String granularity = hyper.has("granularity") ? hyper.word("granularity") : "tensor";
    if (!granularity.equals("tensor") && !granularity.equals("row")) {
      throw new IllegalArgumentException(
          "granularity is " + granularity + ": expected tensor or row");
    }
    return new AdaGradNorm(
        hyper.number("lr", 1),
        hyper.number("momentum", 0),
        hyper.number("eps", 1e-10),
        hyper.number("initial_accumulator_value", 1e-2),
        granularity.equals("row"));
  }

  /** This, with another lr. */
  public AdaGradNorm withLr(double newLr) {
    return new AdaGradNorm(newLr, momentum, eps, initialAccumulatorValue, byRow);
  }

  /** This, with another momentum. */
  public AdaGradNorm withMomentum(double newMomentum) {
    return new AdaGradNorm(lr, newMomentum, eps, initialAccumulatorValue, byRow);
  }

  /** This, with another eps. */
  public AdaGradNorm withEps(double newEps) {
    return new AdaGradNorm(lr, momentum, newEps, initialAccumulatorValue, byRow);
  }

  /** This, with another initialAccumulatorValue. */
  public AdaGradNorm withInitialAccumulatorValue(double newInitialAccumulatorValue) {
    return new AdaGradNorm(lr, momentum, eps, newInitialAccumulatorValue, byRow);
  }

  /** This, with another byRow. */
  public AdaGradNorm withByRow(boolean newByRow) {
    return new AdaGradNorm(lr, momentum, eps, initialAccumulatorValue, newByRow);
  }

  @Override
  public String id() {
    return "adagrad_norm" + (byRow ? "_row" : "") + (momentum > 0 ? "_momentum" : "");
  }

  @Override
  public List<String> states() {
    return momentum > 0 ? List.of("momentum") : List.of();
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, momentum, eps};
  }

  @Override
  public List<String> scalars() {
    return byRow ? List.of() : List.of("b2");
  }

  @Override
  public double initialScalar(int index) {
    return initialAccumulatorValue;
  }

  @Override
  public boolean rowwise() {
    return byRow;
  }

  @Override
  public String rowState() {
    return byRow ? "b2" : null;
  }

  @Override
  public double initialRowState() {
    return initialAccumulatorValue;
  }

  @Override
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 1;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = 0f;
    c[1] = (float) momentum;
    c[2] = (float) (1.0 - momentum);
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    System.arraycopy(g, 0, a[0], 0, n);
    System.arraycopy(g, 0, b[0], 0, n);
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    if (!byRow) {
      step.scalar(0, step.scalar(0) + sums[0]);
      c[0] = stepOf(step, step.scalar(0));
    }
  }

  @Override
  public void row(int k, StepContext step, float[] c, double[] sums, double[] state, float[] row) {
    state[0] = state[0] + sums[0];
    row[0] = stepOf(step, state[0]);
  }

  @Override
  public void enter(float[] row, float[] c) {
    c[0] = row[0];
  }

  private float stepOf(StepContext step, double accumulated) {
    return (float) -(step.lr() / (Math.sqrt(accumulated) + eps));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    float[] direction = g;
    if (momentum > 0) {
      direction = state[0];
      Moments.average(direction, g, c[1], c[2], n);
    }
    for (int i = 0; i < n; i++) {
      p[i] = fma(c[0], direction[i], p[i]);
    }
  }
}
