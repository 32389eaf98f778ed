package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * MARS-AdamW: AdamW on a variance-reduced gradient, for matrices; AdamW of its own for other
 * tensors.
 *
 * <pre>
 * c = g + gamma * (beta1 / (1 - beta1)) * (g - h) ;  h = g ;  if |c| &gt; 1: c = c / |c|, per tensor
 * m = ema(m, c, beta1) ;  v = ema(v, c * c, beta2)
 * p = p - lr * (wd * p + m / ((sqrt(v) / sqrt(c2) + eps) * c1))
 * not 2-D and not optimize1d: c = g ;  lr1d, beta11d, beta21d, weightDecay1d in place of theirs
 * </pre>
 *
 * <p>2-D is literal: a convolution kernel is not. h starts at 0, so the first c is amplified. lr1d
 * is scaled by the step's lr over {@code lr}. States: {@code m}, {@code v}, {@code last_grad} (h).
 * Two passes. Source: arXiv:2411.10438; AGI-Arena/MARS, approximate form.
 *
 * @param lr learning rate, finite and at least 0; default 3e-3
 * @param beta1 in [0, 1); default 0.95
 * @param beta2 in [0, 1); default 0.99
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param gamma finite and at least 0; default 0.025
 * @param optimize1d whether other tensors are treated as matrices are; default false
 * @param lr1d finite and at least 0; default 3e-3
 * @param beta11d in [0, 1); default 0.9
 * @param beta21d in [0, 1); default 0.95
 * @param weightDecay1d finite and at least 0; default 0.1
 */
@Method(
    names = {"mars-adamw"},
    formula = "c = g + gamma beta1/(1-beta1) (g - h), clipped to norm 1; AdamW on c",
    source = "arXiv:2411.10438; AGI-Arena/MARS")
public record Mars(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double gamma,
    boolean optimize1d,
    double lr1d,
    double beta11d,
    double beta21d,
    double weightDecay1d)
    implements Rule {
  /** Checks the hyperparameters. */
  public Mars {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("gamma", gamma);
    Range.nonNegative("lr1d", lr1d);
    Range.fraction("beta11d", beta11d);
    Range.fraction("beta21d", beta21d);
    Range.nonNegative("weightDecay1d", weightDecay1d);
  }

  /** The defaults. */
  public Mars() {
    this(3e-3, 0.95, 0.99, 1e-8, 0, 0.025, false, 3e-3, 0.9, 0.95, 0.1);
  }

  /** Makes the rule from named options. */
  public static Mars fromHyper(String method, Hyper hyper) {
    return new Mars(
        hyper.number("lr", 3e-3),
        hyper.number("beta1", 0.95),
        hyper.number("beta2", 0.99),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("gamma", 0.025),
        hyper.flag("optimize_1d", false),
        hyper.number("lr_1d", 3e-3),
        hyper.number("beta1_1d", 0.9),
        hyper.number("beta2_1d", 0.95),
        hyper.number("weight_decay_1d", 0.1));
  }

  /** This, with another lr. */
  public Mars withLr(double newLr) {
    return new Mars(
        newLr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another beta1. */
  public Mars withBeta1(double newBeta1) {
    return new Mars(
        lr,
        newBeta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another beta2. */
  public Mars withBeta2(double newBeta2) {
    return new Mars(
        lr,
        beta1,
        newBeta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another eps. */
  public Mars withEps(double newEps) {
    return new Mars(
        lr,
        beta1,
        beta2,
        newEps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another weightDecay. */
  public Mars withWeightDecay(double newWeightDecay) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        newWeightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another gamma. */
  public Mars withGamma(double newGamma) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        newGamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another optimize1d. */
  public Mars withOptimize1d(boolean newOptimize1d) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        newOptimize1d,
        lr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another lr1d. */
  public Mars withLr1d(double newLr1d) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        newLr1d,
        beta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another beta11d. */
  public Mars withBeta11d(double newBeta11d) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        newBeta11d,
        beta21d,
        weightDecay1d);
  }

  /** This, with another beta21d. */
  public Mars withBeta21d(double newBeta21d) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        newBeta21d,
        weightDecay1d);
  }

  /** This, with another weightDecay1d. */
  public Mars withWeightDecay1d(double newWeightDecay1d) {
    return new Mars(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gamma,
        optimize1d,
        lr1d,
        beta11d,
        beta21d,
        newWeightDecay1d);
  }

  @Override
  public String id() {
    return "mars";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v", "last_grad");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 1;
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr,
      beta1,
      beta2,
      eps,
      weightDecay,
      gamma,
      optimize1d ? 1 : 0,
      lr1d,
      beta11d,
      beta21d,
      weightDecay1d,
      lr
    };
  }

  @Override
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 1;
  }

  private boolean reduces(StepContext step) {
    return step.rank() == 2 || optimize1d;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    boolean matrix = reduces(step);
    double b1 = matrix ? beta1 : beta11d;
    double b2 = matrix ? beta2 : beta21d;
    double rate1d = lr == 0.0 ? lr1d : step.lr() * (lr1d / lr);
    double rate = matrix ? step.lr() : rate1d;
    double fade = matrix ? weightDecay : weightDecay1d;
    double root = Moments.rootCorrection(b2, step.step());
    Moments.coefficients(b1, b2, c);
    c[4] = matrix ? (float) (gamma * (b1 / (1.0 - b1))) : 0f;
    c[5] = 1f;
    c[6] = (float) -(rate * root / Moments.correction(b1, step.step()));
    c[7] = (float) (eps * root);
    c[8] = (float) (1.0 - rate * fade);
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      a[0][i] = corrected(c, g[i], state[2][i]);
      b[0][i] = a[0][i];
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    double norm = Math.sqrt(sums[0]);
    c[5] = reduces(step) && !(norm <= 1.0) ? (float) (1.0 / norm) : 1f;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] m = state[0];
    final float[] v = state[1];
    final float[] last = state[2];
    for (int i = 0; i < n; i++) {
      float reduced = corrected(c, g[i], last[i]) * c[5];
      last[i] = g[i];
      m[i] = movingAverage(m[i], reduced, c[0], c[1]);
      v[i] = movingAverage(v[i], reduced * reduced, c[2], c[3]);
      p[i] = fma(c[6], m[i] / (root(v[i]) + c[7]), p[i] * c[8]);
    }
  }

  private static float corrected(float[] c, float g, float last) {
    return c[4] == 0f ? g : fma(c[4], g - last, g);
  }
}
