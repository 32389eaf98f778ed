package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.liftOf;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.power;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * LAMB: Adam's direction, rescaled per tensor to the parameter's norm.
 *
 * <pre>
 * g = g / max(1, G / maxGradNorm), G the global norm
 * m = beta1 * m + (1 - beta1) * g ;  v = beta2 * v + (1 - beta2) * g * g
 * u = (m / c1) / (sqrt(v / c2) + eps) + wd * p
 * ratio = |p| / |u| if both &gt; 0, else 1
 * p = p - lr * ratio * u
 * </pre>
 *
 * <p>The ratio stays 1 where wd is 0 unless {@code useNvlamb}, as in apex's fused kernel. States:
 * {@code m}, {@code v}; scalar {@code trust_ratio}, the last ratio. Three passes: the norm, a
 * gather of both norms that only reads, the update. Source: arXiv:1904.00962; NVIDIA/apex.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-6
 * @param weightDecay enters the direction, finite and at least 0; default 1e-2
 * @param maxGradNorm the global norm that is left alone, finite and more than 0; default 1
 * @param useNvlamb whether the ratio applies without decay too; default false
 * @param gradAveraging whether m takes (1 - beta1) of the gradient instead of all of it; default
 *     true
 */
@Method(
    names = {"lamb"},
    formula =
        "g /= max(1, G/maxGradNorm); u = (m/c1) / (sqrt(v/c2) + eps) + wd p; p -= lr (|p|/|u|) u",
    source = "arXiv:1904.00962; NVIDIA/apex",
    differs = "no upper bound on the ratio; the clip has no 1e-6 in its denominator")
public record Lamb(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double maxGradNorm,
    boolean useNvlamb,
    boolean gradAveraging)
    implements Rule {
  /** Checks the hyperparameters. */
  public Lamb {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.positive("maxGradNorm", maxGradNorm);
  }

  /** The defaults. */
  public Lamb() {
    this(1e-3, 0.9, 0.999, 1e-6, 1e-2, 1, false, true);
  }

  /** Makes the rule from named options. */
  public static Lamb fromHyper(String method, Hyper hyper) {
    return new Lamb(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-6),
        hyper.number("weight_decay", 1e-2),
        hyper.number("max_grad_norm", 1),
        hyper.flag("use_nvlamb", false),
        hyper.flag("grad_averaging", true));
  }

  /** This, with another lr. */
  public Lamb withLr(double newLr) {
    return new Lamb(newLr, beta1, beta2, eps, weightDecay, maxGradNorm, useNvlamb, gradAveraging);
  }

  /** This, with another beta1. */
  public Lamb withBeta1(double newBeta1) {
    return new Lamb(lr, newBeta1, beta2, eps, weightDecay, maxGradNorm, useNvlamb, gradAveraging);
  }

  /** This, with another beta2. */
  public Lamb withBeta2(double newBeta2) {
    return new Lamb(lr, beta1, newBeta2, eps, weightDecay, maxGradNorm, useNvlamb, gradAveraging);
  }

  /** This, with another eps. */
  public Lamb withEps(double newEps) {
    return new Lamb(lr, beta1, beta2, newEps, weightDecay, maxGradNorm, useNvlamb, gradAveraging);
  }

  /** This, with another weightDecay. */
  public Lamb withWeightDecay(double newWeightDecay) {
    return new Lamb(lr, beta1, beta2, eps, newWeightDecay, maxGradNorm, useNvlamb, gradAveraging);
  }

  /** This, with another maxGradNorm. */
  public Lamb withMaxGradNorm(double newMaxGradNorm) {
    return new Lamb(lr, beta1, beta2, eps, weightDecay, newMaxGradNorm, useNvlamb, gradAveraging);
  }

  /** This, with another useNvlamb. */
  public Lamb withUseNvlamb(boolean newUseNvlamb) {
    return new Lamb(lr, beta1, beta2, eps, weightDecay, maxGradNorm, newUseNvlamb, gradAveraging);
  }

  /** This, with another gradAveraging. */
  public Lamb withGradAveraging(boolean newGradAveraging) {
    return new Lamb(lr, beta1, beta2, eps, weightDecay, maxGradNorm, useNvlamb, newGradAveraging);
  }

  @Override
  public String id() {
    return "lamb";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 1;
  }

  @Override
  public List<String> scalars() {
    return List.of("trust_ratio");
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr, beta1, beta2, eps, weightDecay, maxGradNorm, useNvlamb ? 1 : 0, gradAveraging ? 1 : 0
    };
  }

  @Override
  public boolean needsGradientNorm() {
    return true;
  }

  @Override
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 2;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double correction1 = 1.0 - power(beta1, step.step());
    double rootCorrection2 = Math.sqrt(1.0 - power(beta2, step.step()));
    double excess = step.gradientNorm() / maxGradNorm;
    c[0] = (float) (excess > 1.0 ? 1.0 / excess : (Double.isNaN(excess) ? excess : 1.0));
    c[1] = (float) beta1;
    c[2] = gradAveraging ? (float) (1.0 - beta1) : 1f;
    c[3] = (float) beta2;
    c[4] = (float) (1.0 - beta2);
    c[5] = (float) (rootCorrection2 / correction1);
    c[6] = (float) (eps * rootCorrection2);
    c[7] = (float) weightDecay;
    c[8] = 0f;
    c[9] = 1f;
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    float[] u = a[1];
    for (int i = 0; i < n; i++) {
      a[0][i] = p[i];
      b[0][i] = p[i];
      float gradient = g[i] * c[0];
      float m = movingAverage(state[0][i], gradient, c[1], c[2]);
      float v = movingAverage(state[1][i], gradient * gradient, c[3], c[4]);
      u[i] = direction(c, p[i], m, v);
      b[1][i] = u[i];
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    boolean adapt = weightDecay != 0.0 || useNvlamb;
    // Only a norm of exactly 0 means 1: a NaN must come out.
    boolean neither = sums[0] == 0.0 || sums[1] == 0.0;
    boolean scaled = adapt && !neither;
    double ratio = scaled ? Math.sqrt(sums[0]) / Math.sqrt(sums[1]) : 1.0;
    double up = scaled ? liftOf(Math.sqrt(sums[1])) : 1.0;
    step.scalar(0, ratio);
    c[8] = (float) -(step.lr() * ratio / up);
    c[9] = (float) up;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float minusStepSize = c[8];
    final float lift = c[9];
    final float[] m = state[0];
    final float[] v = state[1];
    for (int i = 0; i < n; i++) {
      float gradient = g[i] * c[0];
      m[i] = movingAverage(m[i], gradient, c[1], c[2]);
      v[i] = movingAverage(v[i], gradient * gradient, c[3], c[4]);
      p[i] = fma(minusStepSize, direction(c, p[i], m[i], v[i]) * lift, p[i]);
    }
  }

  private static float direction(float[] c, float p, float m, float v) {
    float quotient = m / (root(v) + c[6]);
    return fma(c[7], p, c[5] * quotient);
  }
}
