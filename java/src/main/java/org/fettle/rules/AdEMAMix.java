package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;
import org.fettle.Transcendental;

/**
 * AdEMAMix: a fast and a slow momentum over Adam's second moment.
 *
 * <pre>
 * m1 = ema(m1, g, beta1) ;  m2 = ema(m2, g, beta3_t) ;  v = ema(v, g * g, beta2)
 * p = p - lr * ((m1 / c1 + alpha_t * m2) / (sqrt(v) / sqrt(c2) + eps) + wd * p)
 * alpha_t = alpha * t / alphaWarmup
 * beta3_t = F^-1((1 - t/T) * F(beta1) + (t/T) * F(beta3)), T = beta3Warmup
 * F(b) = ln(0.5) / ln(b + 1e-8) - 1 ;  F^-1(y) = 0.5^(1 / (y + 1))
 * </pre>
 *
 * <p>Behind the warm-ups alpha_t and beta3_t are alpha and beta3. m2 is not bias-corrected. States:
 * {@code m1}, {@code m2}, {@code v}; scalars {@code alpha_t}, {@code beta3_t} (information).
 * Source: arXiv:2409.03137; apple/ml-ademamix, PyTorch file.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param beta3 of the slow momentum, in [0, 1); default 0.9999
 * @param alpha share of the slow momentum, finite and at least 0; default 2
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay scales the parameter by 1 - lr * weightDecay, finite and at least 0; default 0
 * @param alphaWarmup steps in which alpha_t grows from 0, 0 for none; default 0
 * @param beta3Warmup steps in which beta3_t grows from beta1, 0 for none; default 0
 */
@Method(
    names = {"ademamix"},
    formula = "p -= lr ((m1/c1 + alpha_t m2) / (sqrt(v)/sqrt(c2) + eps) + wd p)",
    source = "arXiv:2409.03137; apple/ml-ademamix",
    differs = "schedules are read at t = 1 first, as the PyTorch file does")
public record AdEMAMix(
    double lr,
    double beta1,
    double beta2,
    double beta3,
    double alpha,
    double eps,
    double weightDecay,
    long alphaWarmup,
    long beta3Warmup)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdEMAMix {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.fraction("beta3", beta3);
    Range.nonNegative("alpha", alpha);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.check("alphaWarmup", alphaWarmup, alphaWarmup >= 0, ">= 0");
    Range.check("beta3Warmup", beta3Warmup, beta3Warmup >= 0, ">= 0");
  }

  /** The defaults. */
  public AdEMAMix() {
    this(1e-3, 0.9, 0.999, 0.9999, 2, 1e-8, 0, 0, 0);
  }

  /** Makes the rule from named options. */
  public static AdEMAMix fromHyper(String method, Hyper hyper) {
    return new AdEMAMix(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("beta3", 0.9999),
        hyper.number("alpha", 2),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        (long) hyper.number("alpha_warmup", 0),
        (long) hyper.number("beta3_warmup", 0));
  }

  /** This, with another lr. */
  public AdEMAMix withLr(double newLr) {
    return new AdEMAMix(
        newLr, beta1, beta2, beta3, alpha, eps, weightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another beta1. */
  public AdEMAMix withBeta1(double newBeta1) {
    return new AdEMAMix(
        lr, newBeta1, beta2, beta3, alpha, eps, weightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another beta2. */
  public AdEMAMix withBeta2(double newBeta2) {
    return new AdEMAMix(
        lr, beta1, newBeta2, beta3, alpha, eps, weightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another beta3. */
  public AdEMAMix withBeta3(double newBeta3) {
    return new AdEMAMix(
        lr, beta1, beta2, newBeta3, alpha, eps, weightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another alpha. */
  public AdEMAMix withAlpha(double newAlpha) {
    return new AdEMAMix(
        lr, beta1, beta2, beta3, newAlpha, eps, weightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another eps. */
  public AdEMAMix withEps(double newEps) {
    return new AdEMAMix(
        lr, beta1, beta2, beta3, alpha, newEps, weightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another weightDecay. */
  public AdEMAMix withWeightDecay(double newWeightDecay) {
    return new AdEMAMix(
        lr, beta1, beta2, beta3, alpha, eps, newWeightDecay, alphaWarmup, beta3Warmup);
  }

  /** This, with another alphaWarmup. */
  public AdEMAMix withAlphaWarmup(long newAlphaWarmup) {
    return new AdEMAMix(
        lr, beta1, beta2, beta3, alpha, eps, weightDecay, newAlphaWarmup, beta3Warmup);
  }

  /** This, with another beta3Warmup. */
  public AdEMAMix withBeta3Warmup(long newBeta3Warmup) {
    return new AdEMAMix(
        lr, beta1, beta2, beta3, alpha, eps, weightDecay, alphaWarmup, newBeta3Warmup);
  }

  @Override
  public String id() {
    return "ademamix";
  }

  @Override
  public List<String> states() {
    return List.of("m1", "m2", "v");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 2;
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr, beta1, beta2, beta3, alpha, eps, weightDecay, (double) alphaWarmup, (double) beta3Warmup
    };
  }

  @Override
  public List<String> scalars() {
    return List.of("alpha_t", "beta3_t");
  }

  /** alpha_t, in double. */
  public double alphaAt(long step) {
    return step < alphaWarmup ? alpha * (double) step / (double) alphaWarmup : alpha;
  }

  /** beta3_t, in double. */
  public double beta3At(long step) {
    if (step >= beta3Warmup) {
      return beta3;
    }
    double part = (double) step / (double) beta3Warmup;
    double length = (1.0 - part) * lengthOf(beta1) + part * lengthOf(beta3);
    return Transcendental.power(0.5, 1.0 / (length + 1.0));
  }

  private static double lengthOf(double beta) {
    return Transcendental.log(0.5) / Transcendental.log(beta + 1e-8) - 1.0;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    double slowShare = alphaAt(step.step());
    double slowBeta = beta3At(step.step());
    step.scalar(0, slowShare);
    step.scalar(1, slowBeta);
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) slowBeta;
    c[5] = (float) (1.0 - slowBeta);
    c[6] = (float) -(step.lr() * root / Moments.correction(beta1, step.step()));
    c[7] = (float) -(step.lr() * slowShare * root);
    c[8] = (float) (eps * root);
    c[9] = (float) (1.0 - step.lr() * weightDecay);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float minusFast = c[6];
    final float minusSlow = c[7];
    final float scaledEps = c[8];
    final float decay = c[9];
    final float[] fast = state[0];
    final float[] slow = state[1];
    final float[] v = state[2];
    Moments.update(c, n, fast, v, g);
    Moments.average(slow, g, c[4], c[5], n);
    for (int i = 0; i < n; i++) {
      float numerator = fma(minusFast, fast[i], minusSlow * slow[i]);
      p[i] = fma(p[i], decay, numerator / (root(v[i]) + scaledEps));
    }
  }
}
