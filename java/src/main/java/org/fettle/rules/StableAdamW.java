package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.power;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * StableAdamW: AdamW whose step shrinks with the root mean square of what it did not expect.
 *
 * <pre>
 * h1 = beta1 * (1 - beta1^(t-1)) / (1 - beta1^t), h2 likewise
 * m = ema(m, g, h1) ;  v = ema(v, g * g, h2)
 * R = sqrt(mean(g * g / max(v, eps^2))) of the tensor
 * p = p * (1 - lr * wd) ;  p = p - (lr / max(1, R / clipThreshold)) * m / (sqrt(v) + eps)
 * </pre>
 *
 * <p>States: {@code m_hat}, {@code v_hat}, already corrected: not to be loaded into AdamW. Scalar
 * {@code rms}, R (information). Two passes. The decay uses the unclipped lr. Source:
 * arXiv:2304.13013, the authors' unfused reference.
 *
 * @param lr learning rate, finite and at least 0; default 2e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.99
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay scales the parameter by 1 - lr * weightDecay, finite and at least 0; default
 *     0.2
 * @param clipThreshold finite and more than 0; default 1
 */
@Method(
    names = {"stableadamw"},
    formula = "R = rms(g / sqrt(max(v, eps^2))); p -= lr / max(1, R/clip) m / (sqrt(v) + eps)",
    source = "arXiv:2304.13013",
    differs = "optimi clips the lr of the decay too")
public record StableAdamW(
    double lr, double beta1, double beta2, double eps, double weightDecay, double clipThreshold)
    implements Rule {
  /** Checks the hyperparameters. */
  public StableAdamW {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.positive("clipThreshold", clipThreshold);
  }

  /** The defaults. */
  public StableAdamW() {
    this(2e-3, 0.9, 0.99, 1e-8, 0.2, 1);
  }

  /** Makes the rule from named options. */
  public static StableAdamW fromHyper(String method, Hyper hyper) {
    return new StableAdamW(
        hyper.number("lr", 2e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.99),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0.2),
        hyper.number("clip_threshold", 1));
  }

  /** This, with another lr. */
  public StableAdamW withLr(double newLr) {
    return new StableAdamW(newLr, beta1, beta2, eps, weightDecay, clipThreshold);
  }

  /** This, with another beta1. */
  public StableAdamW withBeta1(double newBeta1) {
    return new StableAdamW(lr, newBeta1, beta2, eps, weightDecay, clipThreshold);
  }

  /** This, with another beta2. */
  public StableAdamW withBeta2(double newBeta2) {
    return new StableAdamW(lr, beta1, newBeta2, eps, weightDecay, clipThreshold);
  }

  /** This, with another eps. */
  public StableAdamW withEps(double newEps) {
    return new StableAdamW(lr, beta1, beta2, newEps, weightDecay, clipThreshold);
  }

  /** This, with another weightDecay. */
  public StableAdamW withWeightDecay(double newWeightDecay) {
    return new StableAdamW(lr, beta1, beta2, eps, newWeightDecay, clipThreshold);
  }

  /** This, with another clipThreshold. */
  public StableAdamW withClipThreshold(double newClipThreshold) {
    return new StableAdamW(lr, beta1, beta2, eps, weightDecay, newClipThreshold);
  }

  @Override
  public String id() {
    return "stableadamw";
  }

  @Override
  public List<String> states() {
    return List.of("m_hat", "v_hat");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 1;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay, clipThreshold};
  }

  @Override
  public List<String> scalars() {
    return List.of("rms");
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
    Moments.coefficients(debiased(beta1, step.step()), debiased(beta2, step.step()), c);
    c[4] = 0f;
    c[5] = (float) eps;
    c[6] = (float) (eps * eps);
    c[7] = (float) (1.0 - step.lr() * weightDecay);
  }

  private static double debiased(double beta, long step) {
    return beta * (1.0 - power(beta, step - 1)) / (1.0 - power(beta, step));
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float v = movingAverage(state[1][i], g[i] * g[i], c[2], c[3]);
      a[0][i] = g[i];
      b[0][i] = g[i] / larger(v, c[6]);
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    double rms = Math.sqrt(sums[0] / (double) step.elements());
    double excess = rms / clipThreshold;
    step.scalar(0, rms);
    c[4] = (float) -(step.lr() / (excess < 1.0 ? 1.0 : excess));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float minusStepSize = c[4];
    final float addend = c[5];
    final float decay = c[7];
    final float[] m = state[0];
    final float[] v = state[1];
    Moments.update(c, n, m, v, g);
    for (int i = 0; i < n; i++) {
      p[i] = fma(minusStepSize, m[i] / (root(v[i]) + addend), p[i] * decay);
    }
  }
}
