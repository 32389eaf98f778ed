package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;
import static org.fettle.Transcendental.powerBelowOne;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdaHessian: Adam with the diagonal of the Hessian in place of the gradient's square.
 *
 * <pre>
 * m = ema(m, g, beta1) ;  v = ema(v, a * a, beta2) ;  a = |diag|
 * p = p - lr * (m / c1 / ((sqrt(v) / sqrt(c2))^k + eps) + wd * p)
 * </pre>
 *
 * <p>States: {@code diag}, {@code m}, {@code v}. Before every step the caller writes H z, z a
 * vector of independent signs, to {@code diag}; {@link org.fettle.steps.HessianDiagonal} averages
 * it over the window of a convolution or over blocks. k = 0 makes the denominator 1 + eps; where
 * diag is 0 it is eps.
 *
 * @param lr learning rate, finite and at least 0; default 0.15
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the power, finite and at least 0; default 1e-4
 * @param weightDecay finite and at least 0; default 0
 * @param hessianPower k, in [0, 1]; default 1
 */
@Method(
    names = {"adahessian", "adahessian_block"},
    formula =
        "m = ema(m, g, beta1); v = ema(v, |Hz|^2, beta2); p -= lr (m/c1 / ((sqrt(v)/sqrt(c2))^k + eps) + wd p)",
    source = "arXiv:2006.00719; amirgholami/adahessian",
    differs =
        "magnitudes are averaged before they are squared, as the published code does and the paper does not")
public record AdaHessian(
    double lr, double beta1, double beta2, double eps, double weightDecay, double hessianPower)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdaHessian {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.check("hessianPower", hessianPower, hessianPower >= 0 && hessianPower <= 1, "in [0, 1]");
  }

  /** The defaults. */
  public AdaHessian() {
    this(0.15, 0.9, 0.999, 1e-4, 0, 1);
  }

  /** Makes the rule from named options. */
  public static AdaHessian fromHyper(String method, Hyper hyper) {
    return new AdaHessian(
        hyper.number("lr", 0.15),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-4),
        hyper.number("weight_decay", 0),
        hyper.number("hessian_power", 1));
  }

  /** This, with another lr. */
  public AdaHessian withLr(double newLr) {
    return new AdaHessian(newLr, beta1, beta2, eps, weightDecay, hessianPower);
  }

  /** This, with another beta1. */
  public AdaHessian withBeta1(double newBeta1) {
    return new AdaHessian(lr, newBeta1, beta2, eps, weightDecay, hessianPower);
  }

  /** This, with another beta2. */
  public AdaHessian withBeta2(double newBeta2) {
    return new AdaHessian(lr, beta1, newBeta2, eps, weightDecay, hessianPower);
  }

  /** This, with another eps. */
  public AdaHessian withEps(double newEps) {
    return new AdaHessian(lr, beta1, beta2, newEps, weightDecay, hessianPower);
  }

  /** This, with another weightDecay. */
  public AdaHessian withWeightDecay(double newWeightDecay) {
    return new AdaHessian(lr, beta1, beta2, eps, newWeightDecay, hessianPower);
  }

  /** This, with another hessianPower. */
  public AdaHessian withHessianPower(double newHessianPower) {
    return new AdaHessian(lr, beta1, beta2, eps, weightDecay, newHessianPower);
  }

  @Override
  public String id() {
    return "adahessian";
  }

  @Override
  public List<String> states() {
    return List.of("diag", "m", "v");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay, hessianPower};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) -(step.lr() / Moments.correction(beta1, step.step()));
    c[5] = (float) (1.0 / Moments.rootCorrection(beta2, step.step()));
    c[6] = (float) eps;
    c[7] = (float) (1.0 - step.lr() * weightDecay);
    c[8] = (float) hessianPower;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] diagonal = state[0];
    final float[] m = state[1];
    final float[] v = state[2];
    for (int i = 0; i < n; i++) {
      diagonal[i] = Math.abs(diagonal[i]);
    }
    Moments.average(m, g, c[0], c[1], n);
    Moments.averageOfSquares(v, diagonal, c[2], c[3], n);
    for (int i = 0; i < n; i++) {
      float base = root(v[i]) * c[5];
      float curvature = c[8] == 1f ? base : powerBelowOne(base, c[8]);
      p[i] = fma(c[4], m[i] / (curvature + c[6]), p[i] * c[7]);
    }
  }
}
