package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Adam, with PyTorch's AMSGrad as a switch: weight decay enters the gradient.
 *
 * <pre>
 * g = g + wd * p
 * m = beta1 * m + (1 - beta1) * g ;  v = beta2 * v + (1 - beta2) * g * g
 * amsgrad: w = vmax = max(vmax, v)   else w = v
 * p = p - (lr / c1) * m / (sqrt(w) / sqrt(c2) + eps),   c1 = 1 - beta1^t, c2 = 1 - beta2^t
 * </pre>
 *
 * <p>The quotient is multiplied through by sqrt(c2), which saves a division and changes no value.
 * States: {@code m}, {@code v}, with amsgrad {@code vmax}. Source: arXiv:1412.6980;
 * torch.optim.Adam; AMSGrad arXiv:1904.09237.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param amsgrad whether the largest second moment so far is used; default false
 */
@Method(
    names = {"adam", "amsgrad"},
    formula =
        "g += wd p; m = ema(m, g, beta1); v = ema(v, g g, beta2); p -= lr/c1 m / (sqrt(w)/sqrt(c2) + eps), w = v or max(vmax, v)",
    source = "arXiv:1412.6980; torch.optim.Adam; arXiv:1904.09237",
    differs = "one division per element: the quotient is multiplied through by sqrt(c2)")
public record Adam(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean amsgrad)
    implements Rule {
  /** Checks the hyperparameters. */
  public Adam {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public Adam() {
    this(1e-3, 0.9, 0.999, 1e-8, 0, false);
  }

  /** Makes the rule from named options. */
  public static Rule fromHyper(String method, Hyper hyper) {
    Adam rule =
        new Adam(
            hyper.number("lr", 1e-3),
            hyper.number("beta1", 0.9),
            hyper.number("beta2", 0.999),
            hyper.number("eps", 1e-8),
            hyper.number("weight_decay", 0),
            hyper.flag("amsgrad", method.startsWith("amsgrad")));
    return hyper.flag("decoupled", false) ? rule.decoupled() : rule;
  }

  private AdamW decoupled() {
    return new AdamW(lr, beta1, beta2, eps, weightDecay, amsgrad);
  }

  /** This, with another lr. */
  public Adam withLr(double newLr) {
    return new Adam(newLr, beta1, beta2, eps, weightDecay, amsgrad);
  }

  /** This, with another beta1. */
  public Adam withBeta1(double newBeta1) {
    return new Adam(lr, newBeta1, beta2, eps, weightDecay, amsgrad);
  }

  /** This, with another beta2. */
  public Adam withBeta2(double newBeta2) {
    return new Adam(lr, beta1, newBeta2, eps, weightDecay, amsgrad);
  }

  /** This, with another eps. */
  public Adam withEps(double newEps) {
    return new Adam(lr, beta1, beta2, newEps, weightDecay, amsgrad);
  }

  /** This, with another weightDecay. */
  public Adam withWeightDecay(double newWeightDecay) {
    return new Adam(lr, beta1, beta2, eps, newWeightDecay, amsgrad);
  }

  /** This, with another amsgrad. */
  public Adam withAmsgrad(boolean newAmsgrad) {
    return new Adam(lr, beta1, beta2, eps, weightDecay, newAmsgrad);
  }

  @Override
  public String id() {
    return amsgrad ? "adam_amsgrad" : "adam";
  }

  @Override
  public List<String> states() {
    return amsgrad ? List.of("m", "v", "vmax") : List.of("m", "v");
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
    AdamArithmetic.corrected(step, beta1, beta2, eps, weightDecay, c);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    addCoupledDecay(g, p, c[6], n);
    AdamArithmetic.update(c, n, p, g, state, amsgrad);
  }
}
