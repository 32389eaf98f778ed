package org.fettle.rules;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdamW, with PyTorch's AMSGrad as a switch: weight decay scales the parameter.
 *
 * <pre>
 * p = p * (1 - lr * wd)
 * m = beta1 * m + (1 - beta1) * g ;  v = beta2 * v + (1 - beta2) * g * g
 * amsgrad: w = vmax = max(vmax, v)   else w = v
 * p = p - (lr / c1) * m / (sqrt(w) / sqrt(c2) + eps),   c1 = 1 - beta1^t, c2 = 1 - beta2^t
 * </pre>
 *
 * <p>The quotient is multiplied through by sqrt(c2), which saves a division and changes no value.
 * States: {@code m}, {@code v}, with amsgrad {@code vmax}. Source: arXiv:1711.05101;
 * torch.optim.AdamW; AMSGrad arXiv:1904.09237.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 1e-2
 * @param amsgrad whether the largest second moment so far is used; default false
 */
@Method(
    names = {"adamw", "adamw-nonfinite", "amsgradw"},
    formula =
        "p *= 1 - lr wd; m = ema(m, g, beta1); v = ema(v, g g, beta2); p -= lr/c1 m / (sqrt(w)/sqrt(c2) + eps), w = v or max(vmax, v)",
    source = "arXiv:1711.05101; torch.optim.AdamW; arXiv:1904.09237",
    differs = "one division per element: the quotient is multiplied through by sqrt(c2)")
public record AdamW(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean amsgrad)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdamW {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public AdamW() {
    this(1e-3, 0.9, 0.999, 1e-8, 1e-2, false);
  }

  /** Makes the rule from named options. */
  public static Rule fromHyper(String method, Hyper hyper) {
    AdamW rule =
        new AdamW(
            hyper.number("lr", 1e-3),
            hyper.number("beta1", 0.9),
            hyper.number("beta2", 0.999),
            hyper.number("eps", 1e-8),
            hyper.number("weight_decay", 1e-2),
            hyper.flag("amsgrad", method.startsWith("amsgrad")));
    return hyper.flag("decoupled", true) ? rule : rule.coupled();
  }

  private Adam coupled() {
    return new Adam(lr, beta1, beta2, eps, weightDecay, amsgrad);
  }

  /** This, with another lr. */
  public AdamW withLr(double newLr) {
    return new AdamW(newLr, beta1, beta2, eps, weightDecay, amsgrad);
  }

  /** This, with another beta1. */
  public AdamW withBeta1(double newBeta1) {
    return new AdamW(lr, newBeta1, beta2, eps, weightDecay, amsgrad);
  }

  /** This, with another beta2. */
  public AdamW withBeta2(double newBeta2) {
    return new AdamW(lr, beta1, newBeta2, eps, weightDecay, amsgrad);
  }

  /** This, with another eps. */
  public AdamW withEps(double newEps) {
    return new AdamW(lr, beta1, beta2, newEps, weightDecay, amsgrad);
  }

  /** This, with another weightDecay. */
  public AdamW withWeightDecay(double newWeightDecay) {
    return new AdamW(lr, beta1, beta2, eps, newWeightDecay, amsgrad);
  }

  /** This, with another amsgrad. */
  public AdamW withAmsgrad(boolean newAmsgrad) {
    return new AdamW(lr, beta1, beta2, eps, weightDecay, newAmsgrad);
  }

  @Override
  public String id() {
    return amsgrad ? "adamw_amsgrad" : "adamw";
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
    AdamArithmetic.corrected(step, beta1, beta2, eps, 1.0 - step.lr() * weightDecay, c);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    Moments.scale(p, c[6], n);
    AdamArithmetic.update(c, n, p, g, state, amsgrad);
  }
}
