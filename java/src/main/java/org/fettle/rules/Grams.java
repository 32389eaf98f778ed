package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;
import static org.fettle.Arithmetic.sign;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Grams: Adam's magnitude with the gradient's sign.
 *
 * <pre>
 * p = p * (1 - lr * wd) ;  m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2)
 * p = p - (lr * sqrt(c2) / c1) * sign(g) * |m| / (sqrt(v) + eps)
 * </pre>
 *
 * <p>Without bias correction the factor is lr. sign(0) is 0: an element without gradient does not
 * move. States: {@code m}, {@code v}. Source: arXiv:2412.17107; Gunale0926/Grams.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the root, finite and at least 0; default 1e-6
 * @param weightDecay scales the parameter by 1 - lr * weightDecay, finite and at least 0; default 0
 * @param correctBias whether the moments are bias-corrected; default true
 */
@Method(
    names = {"grams"},
    formula = "p -= lr sqrt(c2)/c1 sign(g) |m| / (sqrt(v) + eps)",
    source = "arXiv:2412.17107; Gunale0926/Grams")
public record Grams(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean correctBias)
    implements Rule {
  /** Checks the hyperparameters. */
  public Grams {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public Grams() {
    this(1e-3, 0.9, 0.999, 1e-6, 0, true);
  }

  /** Makes the rule from named options. */
  public static Grams fromHyper(String method, Hyper hyper) {
    return new Grams(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-6),
        hyper.number("weight_decay", 0),
        hyper.flag("correct_bias", true));
  }

  /** This, with another lr. */
  public Grams withLr(double newLr) {
    return new Grams(newLr, beta1, beta2, eps, weightDecay, correctBias);
  }

  /** This, with another beta1. */
  public Grams withBeta1(double newBeta1) {
    return new Grams(lr, newBeta1, beta2, eps, weightDecay, correctBias);
  }

  /** This, with another beta2. */
  public Grams withBeta2(double newBeta2) {
    return new Grams(lr, beta1, newBeta2, eps, weightDecay, correctBias);
  }

  /** This, with another eps. */
  public Grams withEps(double newEps) {
    return new Grams(lr, beta1, beta2, newEps, weightDecay, correctBias);
  }

  /** This, with another weightDecay. */
  public Grams withWeightDecay(double newWeightDecay) {
    return new Grams(lr, beta1, beta2, eps, newWeightDecay, correctBias);
  }

  /** This, with another correctBias. */
  public Grams withCorrectBias(boolean newCorrectBias) {
    return new Grams(lr, beta1, beta2, eps, weightDecay, newCorrectBias);
  }

  @Override
  public String id() {
    return "grams";
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
  public void coefficients(StepContext step, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    double stepSize =
        correctBias ? step.lr() * root / Moments.correction(beta1, step.step()) : step.lr();
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) -stepSize;
    c[5] = (float) eps;
    c[6] = (float) (1.0 - step.lr() * weightDecay);
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
      float direction = sign(g[i]) * Math.abs(m[i]) / (root(v[i]) + addend);
      p[i] = fma(minusStepSize, direction, p[i] * decay);
    }
  }
}
