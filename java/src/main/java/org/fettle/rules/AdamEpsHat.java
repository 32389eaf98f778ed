package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Adam's eps-hat form: eps outside the uncorrected root.
 *
 * <pre>
 * coupled: g = g + wd * p      decoupled: p = p * (1 - lr * wd)
 * m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2)
 * p = p - (lr * sqrt(c2) / c1) * m / (sqrt(v) + eps)
 * </pre>
 *
 * <p>States: {@code m}, {@code v}. Equal to Adam with eps divided by sqrt(c2). Source:
 * arXiv:1412.6980, end of section 2; the form of TensorFlow's Adam.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param decoupled whether the decay scales the parameter; default true
 */
@Method(
    names = {"adam-epshat"},
    formula = "m, v as Adam; p -= lr sqrt(c2)/c1 m / (sqrt(v) + eps)",
    source = "arXiv:1412.6980, section 2")
public record AdamEpsHat(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean decoupled)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdamEpsHat {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public AdamEpsHat() {
    this(1e-3, 0.9, 0.999, 1e-8, 0, true);
  }

  /** Makes the rule from named options. */
  public static AdamEpsHat fromHyper(String method, Hyper hyper) {
    return new AdamEpsHat(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.flag("decoupled", true));
  }

  /** This, with another lr. */
  public AdamEpsHat withLr(double newLr) {
    return new AdamEpsHat(newLr, beta1, beta2, eps, weightDecay, decoupled);
  }

  /** This, with another beta1. */
  public AdamEpsHat withBeta1(double newBeta1) {
    return new AdamEpsHat(lr, newBeta1, beta2, eps, weightDecay, decoupled);
  }

  /** This, with another beta2. */
  public AdamEpsHat withBeta2(double newBeta2) {
    return new AdamEpsHat(lr, beta1, newBeta2, eps, weightDecay, decoupled);
  }

  /** This, with another eps. */
  public AdamEpsHat withEps(double newEps) {
    return new AdamEpsHat(lr, beta1, beta2, newEps, weightDecay, decoupled);
  }

  /** This, with another weightDecay. */
  public AdamEpsHat withWeightDecay(double newWeightDecay) {
    return new AdamEpsHat(lr, beta1, beta2, eps, newWeightDecay, decoupled);
  }

  /** This, with another decoupled. */
  public AdamEpsHat withDecoupled(boolean newDecoupled) {
    return new AdamEpsHat(lr, beta1, beta2, eps, weightDecay, newDecoupled);
  }

  @Override
  public String id() {
    return decoupled ? "adamw_epshat" : "adam_epshat";
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
    return new double[] {lr, beta1, beta2, eps, weightDecay};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    AdamArithmetic.coefficients(
        beta1,
        beta2,
        step.lr() * root / Moments.correction(beta1, step.step()),
        eps,
        decoupled ? 1.0 - step.lr() * weightDecay : weightDecay,
        c);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    if (decoupled) {
      Moments.scale(p, c[6], n);
    } else {
      addCoupledDecay(g, p, c[6], n);
    }
    AdamArithmetic.update(c, n, p, g, state, false);
  }
}
