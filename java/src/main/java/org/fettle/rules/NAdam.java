package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;
import org.fettle.Transcendental;

/**
 * NAdam and NAdamW: Adam with Nesterov's momentum.
 *
 * <pre>
 * coupled: g = g + wd * p      decoupled: p = p * (1 - lr * wd)
 * mu = beta1 * (1 - 0.5 * 0.96^(t * psi)) ;  mu' = the same at t + 1 ;  P = P * mu
 * m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2) ;  D = sqrt(v / c2) + eps
 * p = p - [lr * (1 - mu) / (1 - P)] * g / D - [lr * mu' / (1 - P * mu')] * m / D
 * </pre>
 *
 * <p>States: {@code m}, {@code v}; scalar {@code mu_product} P, starting at 1. psi is {@code
 * momentumDecay}. Source: torch.optim.NAdam 2.x.
 *
 * @param lr learning rate, finite and at least 0; default 2e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param momentumDecay psi, finite and at least 0; default 4e-3
 * @param decoupled whether the decay scales the parameter (NAdamW); default false
 */
@Method(
    names = {"nadam", "nadamw"},
    formula =
        "mu_t = beta1 (1 - 0.5 0.96^(t psi)); p -= lr (1-mu_t)/(1-P) g/D + lr mu_t+1/(1-P mu_t+1) m/D",
    source = "torch.optim.NAdam (2.x)",
    differs = "the last denominator is 1 - P mu_t+1; torch 1.13 counts mu twice there")
public record NAdam(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double momentumDecay,
    boolean decoupled)
    implements Rule {
  /** Checks the hyperparameters. */
  public NAdam {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("momentumDecay", momentumDecay);
  }

  /** The defaults. */
  public NAdam() {
    this(2e-3, 0.9, 0.999, 1e-8, 0, 4e-3, false);
  }

  /** Makes the rule from named options. */
  public static NAdam fromHyper(String method, Hyper hyper) {
    return new NAdam(
        hyper.number("lr", 2e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("momentum_decay", 4e-3),
        hyper.flag("decoupled", method.equals("nadamw")));
  }

  /** This, with another lr. */
  public NAdam withLr(double newLr) {
    return new NAdam(newLr, beta1, beta2, eps, weightDecay, momentumDecay, decoupled);
  }

  /** This, with another beta1. */
  public NAdam withBeta1(double newBeta1) {
    return new NAdam(lr, newBeta1, beta2, eps, weightDecay, momentumDecay, decoupled);
  }

  /** This, with another beta2. */
  public NAdam withBeta2(double newBeta2) {
    return new NAdam(lr, beta1, newBeta2, eps, weightDecay, momentumDecay, decoupled);
  }

  /** This, with another eps. */
  public NAdam withEps(double newEps) {
    return new NAdam(lr, beta1, beta2, newEps, weightDecay, momentumDecay, decoupled);
  }

  /** This, with another weightDecay. */
  public NAdam withWeightDecay(double newWeightDecay) {
    return new NAdam(lr, beta1, beta2, eps, newWeightDecay, momentumDecay, decoupled);
  }

  /** This, with another momentumDecay. */
  public NAdam withMomentumDecay(double newMomentumDecay) {
    return new NAdam(lr, beta1, beta2, eps, weightDecay, newMomentumDecay, decoupled);
  }

  /** This, with another decoupled. */
  public NAdam withDecoupled(boolean newDecoupled) {
    return new NAdam(lr, beta1, beta2, eps, weightDecay, momentumDecay, newDecoupled);
  }

  @Override
  public String id() {
    return decoupled ? "nadamw" : "nadam";
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
    return new double[] {lr, beta1, beta2, eps, weightDecay, momentumDecay};
  }

  @Override
  public List<String> scalars() {
    return List.of("mu_product");
  }

  @Override
  public double initialScalar(int index) {
    return 1;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    double now = momentumAt(step.step());
    double next = momentumAt(step.step() + 1);
    double product = step.scalar(0) * now;
    step.scalar(0, product);
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) -(step.lr() * (1.0 - now) / (1.0 - product) * root);
    c[5] = (float) -(step.lr() * next / (1.0 - product * next) * root);
    c[6] = (float) (eps * root);
    c[7] = (float) (decoupled ? 1.0 - step.lr() * weightDecay : weightDecay);
  }

  private double momentumAt(long step) {
    return beta1 * (1.0 - 0.5 * Transcendental.power(0.96, (double) step * momentumDecay));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float gradientShare = c[4];
    final float momentShare = c[5];
    final float scaledEps = c[6];
    final float[] m = state[0];
    final float[] v = state[1];
    if (decoupled) {
      Moments.scale(p, c[7], n);
    } else {
      addCoupledDecay(g, p, c[7], n);
    }
    Moments.update(c, n, m, v, g);
    for (int i = 0; i < n; i++) {
      float numerator = fma(gradientShare, g[i], momentShare * m[i]);
      p[i] = p[i] + numerator / (root(v[i]) + scaledEps);
    }
  }
}
