package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AMSGrad as in the paper: no bias correction.
 *
 * <pre>
 * m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2) ;  vmax = max(vmax, v)
 * p = p - lr * m / (sqrt(vmax) + eps)
 * </pre>
 *
 * <p>States: {@code m}, {@code v}, {@code vmax}. The paper has no eps and no decay; the eps outside
 * the root and the coupled decay are ours. Source: arXiv:1904.09237, Algorithm 2.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.99
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay enters the gradient, finite and at least 0; default 0
 */
@Method(
    names = {"amsgrad-paper"},
    formula = "m, v as Adam; vmax = max(vmax, v); p -= lr m / (sqrt(vmax) + eps)",
    source = "arXiv:1904.09237, Algorithm 2",
    differs = "the paper has no eps")
public record AmsGradPaper(double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Rule {
  /** Checks the hyperparameters. */
  public AmsGradPaper {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public AmsGradPaper() {
    this(1e-3, 0.9, 0.99, 1e-8, 0);
  }

  /** Makes the rule from named options. */
  public static AmsGradPaper fromHyper(String method, Hyper hyper) {
    return new AmsGradPaper(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.99),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0));
  }

  /** This, with another lr. */
  public AmsGradPaper withLr(double newLr) {
    return new AmsGradPaper(newLr, beta1, beta2, eps, weightDecay);
  }

  /** This, with another beta1. */
  public AmsGradPaper withBeta1(double newBeta1) {
    return new AmsGradPaper(lr, newBeta1, beta2, eps, weightDecay);
  }

  /** This, with another beta2. */
  public AmsGradPaper withBeta2(double newBeta2) {
    return new AmsGradPaper(lr, beta1, newBeta2, eps, weightDecay);
  }

  /** This, with another eps. */
  public AmsGradPaper withEps(double newEps) {
    return new AmsGradPaper(lr, beta1, beta2, newEps, weightDecay);
  }

  /** This, with another weightDecay. */
  public AmsGradPaper withWeightDecay(double newWeightDecay) {
    return new AmsGradPaper(lr, beta1, beta2, eps, newWeightDecay);
  }

  @Override
  public String id() {
    return "amsgrad_paper";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v", "vmax");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index >= 1;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    AdamArithmetic.coefficients(beta1, beta2, step.lr(), eps, weightDecay, c);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    addCoupledDecay(g, p, c[6], n);
    AdamArithmetic.update(c, n, p, g, state, true);
  }
}
