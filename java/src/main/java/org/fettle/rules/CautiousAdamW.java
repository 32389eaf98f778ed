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
 * Cautious AdamW: only the elements move whose moment agrees with the gradient.
 *
 * <pre>
 * p = p * (1 - lr * wd) ;  m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2)
 * k = (m * g &gt; 0) ;  z = max(sum(k) / n, 1e-3)
 * p = p - (lr * sqrt(c2) / c1) * (m * k / z) / (sqrt(v) + eps)
 * </pre>
 *
 * <p>Without bias correction the factor is lr. The test compares the rounded product with 0; a NaN
 * stays NaN. States: {@code m}, {@code v}; scalar {@code kept}, sum(k) / n (information). Two
 * passes. Source: arXiv:2411.16085; kyleliang919/C-Optim.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the root, finite and at least 0; default 1e-6
 * @param weightDecay scales the parameter by 1 - lr * weightDecay, finite and at least 0; default 0
 * @param correctBias whether the moments are bias-corrected; default true
 */
@Method(
    names = {"cautious-adamw"},
    formula =
        "k = (m g > 0); z = max(mean(k), 1e-3); p -= lr sqrt(c2)/c1 m k / z / (sqrt(v) + eps)",
    source = "arXiv:2411.16085; kyleliang919/C-Optim",
    differs =
        "the mask is of m g; C-Optim's multi-tensor path masks with m m, an error of that file")
public record CautiousAdamW(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean correctBias)
    implements Rule {
  /** Checks the hyperparameters. */
  public CautiousAdamW {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public CautiousAdamW() {
    this(1e-3, 0.9, 0.999, 1e-6, 0, true);
  }

  /** Makes the rule from named options. */
  public static CautiousAdamW fromHyper(String method, Hyper hyper) {
    return new CautiousAdamW(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-6),
        hyper.number("weight_decay", 0),
        hyper.flag("correct_bias", true));
  }

  /** This, with another lr. */
  public CautiousAdamW withLr(double newLr) {
    return new CautiousAdamW(newLr, beta1, beta2, eps, weightDecay, correctBias);
  }

  /** This, with another beta1. */
  public CautiousAdamW withBeta1(double newBeta1) {
    return new CautiousAdamW(lr, newBeta1, beta2, eps, weightDecay, correctBias);
  }

  /** This, with another beta2. */
  public CautiousAdamW withBeta2(double newBeta2) {
    return new CautiousAdamW(lr, beta1, newBeta2, eps, weightDecay, correctBias);
  }

  /** This, with another eps. */
  public CautiousAdamW withEps(double newEps) {
    return new CautiousAdamW(lr, beta1, beta2, newEps, weightDecay, correctBias);
  }

  /** This, with another weightDecay. */
  public CautiousAdamW withWeightDecay(double newWeightDecay) {
    return new CautiousAdamW(lr, beta1, beta2, eps, newWeightDecay, correctBias);
  }

  /** This, with another correctBias. */
  public CautiousAdamW withCorrectBias(boolean newCorrectBias) {
    return new CautiousAdamW(lr, beta1, beta2, eps, weightDecay, newCorrectBias);
  }

  @Override
  public String id() {
    return "cautious_adamw";
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
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay, correctBias ? 1 : 0};
  }

  @Override
  public List<String> scalars() {
    return List.of("kept");
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
    Moments.coefficients(beta1, beta2, c);
    c[4] = 0f;
    c[5] = (float) eps;
    c[6] = (float) (1.0 - step.lr() * weightDecay);
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      a[0][i] = Agreement.of(movingAverage(state[0][i], g[i], c[0], c[1]) * g[i]);
      b[0][i] = 1f;
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    double stepSize =
        correctBias ? step.lr() * root / Moments.correction(beta1, step.step()) : step.lr();
    double kept = sums[0] / (double) step.elements();
    step.scalar(0, kept);
    c[4] = (float) -(stepSize / (kept < 1e-3 ? 1e-3 : kept));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float minusStepSize = c[4];
    final float addend = c[5];
    final float decay = c[6];
    final float[] m = state[0];
    final float[] v = state[1];
    Moments.update(c, n, m, v, g);
    for (int i = 0; i < n; i++) {
      float direction = m[i] * Agreement.of(m[i] * g[i]) / (root(v[i]) + addend);
      p[i] = fma(minusStepSize, direction, p[i] * decay);
    }
  }
}
