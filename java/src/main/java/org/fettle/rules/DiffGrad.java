package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;
import static org.fettle.Transcendental.expNegative;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * diffGrad: Adam slowed down where the gradient hardly changes.
 *
 * <pre>
 * g = g + wd * p ;  m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2)
 * x = 1 / (1 + exp(-|h - g|)) ;  h = g
 * p = p - (lr * sqrt(c2) / c1) * (m * x) / (sqrt(v) + eps)
 * </pre>
 *
 * <p>States: {@code m}, {@code v}, {@code prev_grad} (h, with the coupled decay). The exponential
 * is the library's own. Source: arXiv:1909.11015; shivram1987/diffGrad, diffGrad_v2.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay enters the gradient, finite and at least 0; default 0
 */
@Method(
    names = {"diffgrad"},
    formula = "x = sigmoid(|h - g|); h = g; p -= lr sqrt(c2)/c1 m x / (sqrt(v) + eps)",
    source = "arXiv:1909.11015; shivram1987/diffGrad v2",
    differs = "the paper's first program had x = 0.5 throughout, by aliasing")
public record DiffGrad(double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Rule {
  /** Checks the hyperparameters. */
  public DiffGrad {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public DiffGrad() {
    this(1e-3, 0.9, 0.999, 1e-8, 0);
  }

  /** Makes the rule from named options. */
  public static DiffGrad fromHyper(String method, Hyper hyper) {
    return new DiffGrad(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0));
  }

  /** This, with another lr. */
  public DiffGrad withLr(double newLr) {
    return new DiffGrad(newLr, beta1, beta2, eps, weightDecay);
  }

  /** This, with another beta1. */
  public DiffGrad withBeta1(double newBeta1) {
    return new DiffGrad(lr, newBeta1, beta2, eps, weightDecay);
  }

  /** This, with another beta2. */
  public DiffGrad withBeta2(double newBeta2) {
    return new DiffGrad(lr, beta1, newBeta2, eps, weightDecay);
  }

  /** This, with another eps. */
  public DiffGrad withEps(double newEps) {
    return new DiffGrad(lr, beta1, beta2, newEps, weightDecay);
  }

  /** This, with another weightDecay. */
  public DiffGrad withWeightDecay(double newWeightDecay) {
    return new DiffGrad(lr, beta1, beta2, eps, newWeightDecay);
  }

  @Override
  public String id() {
    return "diffgrad";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v", "prev_grad");
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
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) weightDecay;
    c[5] = (float) -(step.lr() * root / Moments.correction(beta1, step.step()));
    c[6] = (float) eps;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float minusStepSize = c[5];
    final float addend = c[6];
    final float[] m = state[0];
    final float[] v = state[1];
    final float[] h = state[2];
    addCoupledDecay(g, p, c[4], n);
    Moments.update(c, n, m, v, g);
    for (int i = 0; i < n; i++) {
      float friction = 1f / (1f + expNegative(-Math.abs(h[i] - g[i])));
      h[i] = g[i];
      p[i] = fma(minusStepSize, m[i] * friction / (root(v[i]) + addend), p[i]);
    }
  }
}
