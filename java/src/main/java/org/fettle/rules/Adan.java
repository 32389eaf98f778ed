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
 * Adan: Adam with the gradient's change as a second direction.
 *
 * <pre>
 * clip: g = g * min(1, maxGradNorm / (G + eps)), G the global norm
 * y = g - h, 0 in the first step ;  h = g
 * m = ema(m, g, beta1) ;  d = ema(d, y, beta2) ;  n = ema(n, (g + beta2 * y)^2, beta3) ;  D = sqrt(n) / sqrt(c3) + eps
 * p = p - (lr / c1) * m / D - (lr * beta2 / c2) * d / D
 * noProx: decay first, p * (1 - lr * wd)      default: last, p / (1 + lr * wd)
 * </pre>
 *
 * <p>The betas multiply the old state (the paper's are 1 minus these). States: {@code m}, {@code
 * diff}, {@code n}, {@code prev_grad} (the clipped gradient). Source: arXiv:2208.06677;
 * sail-sg/Adan.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.98
 * @param beta2 in [0, 1); default 0.92
 * @param beta3 in [0, 1); default 0.99
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param maxGradNorm the global norm that is left alone, 0 for no clipping; default 0
 * @param noProx whether the decay comes first and multiplies; default false
 */
@Method(
    names = {"adan"},
    formula =
        "y = g - h; m, d, n averages of g, y, (g + beta2 y)^2; p -= lr (m/c1 + beta2 d/c2) / (sqrt(n)/sqrt(c3) + eps)",
    source = "arXiv:2208.06677; sail-sg/Adan")
public record Adan(
    double lr,
    double beta1,
    double beta2,
    double beta3,
    double eps,
    double weightDecay,
    double maxGradNorm,
    boolean noProx)
    implements Rule {
  /** Checks the hyperparameters. */
  public Adan {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.fraction("beta3", beta3);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("maxGradNorm", maxGradNorm);
  }

  /** The defaults. */
  public Adan() {
    this(1e-3, 0.98, 0.92, 0.99, 1e-8, 0, 0, false);
  }

  /** Makes the rule from named options. */
  public static Adan fromHyper(String method, Hyper hyper) {
    return new Adan(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.98),
        hyper.number("beta2", 0.92),
        hyper.number("beta3", 0.99),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("max_grad_norm", 0),
        hyper.flag("no_prox", false));
  }

  /** This, with another lr. */
  public Adan withLr(double newLr) {
    return new Adan(newLr, beta1, beta2, beta3, eps, weightDecay, maxGradNorm, noProx);
  }

  /** This, with another beta1. */
  public Adan withBeta1(double newBeta1) {
    return new Adan(lr, newBeta1, beta2, beta3, eps, weightDecay, maxGradNorm, noProx);
  }

  /** This, with another beta2. */
  public Adan withBeta2(double newBeta2) {
    return new Adan(lr, beta1, newBeta2, beta3, eps, weightDecay, maxGradNorm, noProx);
  }

  /** This, with another beta3. */
  public Adan withBeta3(double newBeta3) {
    return new Adan(lr, beta1, beta2, newBeta3, eps, weightDecay, maxGradNorm, noProx);
  }

  /** This, with another eps. */
  public Adan withEps(double newEps) {
    return new Adan(lr, beta1, beta2, beta3, newEps, weightDecay, maxGradNorm, noProx);
  }

  /** This, with another weightDecay. */
  public Adan withWeightDecay(double newWeightDecay) {
    return new Adan(lr, beta1, beta2, beta3, eps, newWeightDecay, maxGradNorm, noProx);
  }

  /** This, with another maxGradNorm. */
  public Adan withMaxGradNorm(double newMaxGradNorm) {
    return new Adan(lr, beta1, beta2, beta3, eps, weightDecay, newMaxGradNorm, noProx);
  }

  /** This, with another noProx. */
  public Adan withNoProx(boolean newNoProx) {
    return new Adan(lr, beta1, beta2, beta3, eps, weightDecay, maxGradNorm, newNoProx);
  }

  @Override
  public String id() {
    return "adan";
  }

  @Override
  public List<String> states() {
    return List.of("m", "diff", "n", "prev_grad");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 2;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, beta3, eps, weightDecay, maxGradNorm, noProx ? 1 : 0};
  }

  @Override
  public boolean needsGradientNorm() {
    return maxGradNorm > 0;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double root3 = Moments.rootCorrection(beta3, step.step());
    double factor = 1.0;
    if (maxGradNorm > 0.0) {
      factor = maxGradNorm / (step.gradientNorm() + eps);
      factor = factor > 1.0 ? 1.0 : factor;
    }
    c[0] = (float) factor;
    c[1] = step.step() == 1 ? 0f : 1f;
    c[2] = (float) beta1;
    c[3] = (float) (1.0 - beta1);
    c[4] = (float) beta2;
    c[5] = (float) (1.0 - beta2);
    c[6] = (float) beta3;
    c[7] = (float) (1.0 - beta3);
    c[8] = (float) -(step.lr() * root3 / Moments.correction(beta1, step.step()));
    c[9] = (float) -(step.lr() * beta2 * root3 / Moments.correction(beta2, step.step()));
    c[10] = (float) (eps * root3);
    c[11] = noProx ? (float) (1.0 - step.lr() * weightDecay) : 1f;
    c[12] = noProx ? 1f : (float) (1.0 / (1.0 + step.lr() * weightDecay));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final boolean changes = c[1] > 0f;
    final float[] m = state[0];
    final float[] d = state[1];
    final float[] second = state[2];
    final float[] h = state[3];
    Moments.scale(g, c[0], n);
    Moments.average(m, g, c[2], c[3], n);
    for (int i = 0; i < n; i++) {
      float change = changes ? g[i] - h[i] : 0f;
      h[i] = g[i];
      d[i] = movingAverage(d[i], change, c[4], c[5]);
      float ahead = fma(c[4], change, g[i]);
      second[i] = movingAverage(second[i], ahead * ahead, c[6], c[7]);
      float numerator = fma(c[8], m[i], c[9] * d[i]);
      p[i] = fma(p[i], c[11], numerator / (root(second[i]) + c[10])) * c[12];
    }
  }
}
