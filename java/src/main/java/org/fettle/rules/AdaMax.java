package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdaMax: Adam with the infinity norm.
 *
 * <pre>
 * g = g + wd * p ;  m = ema(m, g, beta1) ;  u = max(beta2 * u, |g| + eps)
 * p = p - (lr / c1) * m / u
 * </pre>
 *
 * <p>States: {@code m}, {@code u}. eps stands inside the maximum, on the new gradient only. Source:
 * arXiv:1412.6980, section 7; torch.optim.Adamax.
 *
 * @param lr learning rate, finite and at least 0; default 2e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps inside the maximum, finite and at least 0; default 1e-8
 * @param weightDecay enters the gradient, finite and at least 0; default 0
 */
@Method(
    names = {"adamax"},
    formula = "m = ema(m, g, beta1); u = max(beta2 u, |g| + eps); p -= lr/c1 m / u",
    source = "arXiv:1412.6980; torch.optim.Adamax")
public record AdaMax(double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdaMax {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public AdaMax() {
    this(2e-3, 0.9, 0.999, 1e-8, 0);
  }

  /** Makes the rule from named options. */
  public static AdaMax fromHyper(String method, Hyper hyper) {
    return new AdaMax(
        hyper.number("lr", 2e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0));
  }

  /** This, with another lr. */
  public AdaMax withLr(double newLr) {
    return new AdaMax(newLr, beta1, beta2, eps, weightDecay);
  }

  /** This, with another beta1. */
  public AdaMax withBeta1(double newBeta1) {
    return new AdaMax(lr, newBeta1, beta2, eps, weightDecay);
  }

  /** This, with another beta2. */
  public AdaMax withBeta2(double newBeta2) {
    return new AdaMax(lr, beta1, newBeta2, eps, weightDecay);
  }

  /** This, with another eps. */
  public AdaMax withEps(double newEps) {
    return new AdaMax(lr, beta1, beta2, newEps, weightDecay);
  }

  /** This, with another weightDecay. */
  public AdaMax withWeightDecay(double newWeightDecay) {
    return new AdaMax(lr, beta1, beta2, eps, newWeightDecay);
  }

  @Override
  public String id() {
    return "adamax";
  }

  @Override
  public List<String> states() {
    return List.of("m", "u");
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
    c[0] = (float) weightDecay;
    c[1] = (float) beta1;
    c[2] = (float) (1.0 - beta1);
    c[3] = (float) beta2;
    c[4] = (float) eps;
    c[5] = (float) -(step.lr() / Moments.correction(beta1, step.step()));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep = c[3];
    final float addend = c[4];
    final float minusStepSize = c[5];
    final float[] m = state[0];
    final float[] u = state[1];
    addCoupledDecay(g, p, c[0], n);
    Moments.average(m, g, c[1], c[2], n);
    for (int i = 0; i < n; i++) {
      u[i] = larger(keep * u[i], Math.abs(g[i]) + addend);
      p[i] = fma(minusStepSize, m[i] / u[i], p[i]);
    }
  }
}
