package org.fettle.rules;

import static org.fettle.Arithmetic.movingAverage;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Schedule-Free AdamW: {@link ScheduleFreeSgd} with Adam's denominator.
 *
 * <pre>
 * s, w, W, c as there
 * v = ema(v, g * g, beta2) ;  d = g / (sqrt(v / c2) + eps) + wd * y
 * innerMomentum > 0: m = ema(m, g, innerMomentum), and m / (1 - innerMomentum^t) stands for g
 * y = (1 - c) * y + c * z + lr * s * (beta1 * (1 - c) - 1) * d ;  z = z - lr * s * d
 * </pre>
 *
 * <p>The parameter is y, where gradients are taken; {@link org.fettle.steps.ScheduleFree} switches
 * it to the average x for evaluation and back. States: {@code z}, the parameter itself before the
 * first step, {@code v}, with inner momentum {@code m}. Scalars: {@code ckp1} c, {@code lr_max},
 * {@code lr_t}, {@code weight_sum} W. Source: arXiv:2405.15682; facebookresearch/schedule_free.
 *
 * @param lr learning rate, finite and at least 0; default 2.5e-3
 * @param beta1 the share of x in y, in (0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay evaluated at y, finite and at least 0; default 0
 * @param warmupSteps over which the rate grows, at least 0; default 0
 * @param r power of t in the weights, finite; default 0
 * @param weightLrPower power of the rate in the weights, finite and at least 0; default 2
 * @param innerMomentum in [0, 1), 0 for none; default 0
 */
@Method(
    names = {"schedule_free_adamw"},
    formula =
        "v = ema(v, g g, beta2); d = g/(sqrt(v/c2) + eps) + wd y; y = (1-c) y + c z + lr (beta1 (1-c) - 1) d; z -= lr d",
    source = "arXiv:2405.15682; facebookresearch/schedule_free",
    differs = "one division per element: the quotient is multiplied through by sqrt(c2)")
public record ScheduleFreeAdamW(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    long warmupSteps,
    double r,
    double weightLrPower,
    double innerMomentum)
    implements Rule {
  /** Checks the hyperparameters. */
  public ScheduleFreeAdamW {
    Range.nonNegative("lr", lr);
    Range.check("beta1", beta1, beta1 > 0 && beta1 < 1, "in (0, 1)");
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.check("warmupSteps", warmupSteps, warmupSteps >= 0, ">= 0");
    Range.finite("r", r);
    Range.nonNegative("weightLrPower", weightLrPower);
    Range.fraction("innerMomentum", innerMomentum);
  }

  /** The defaults. */
  public ScheduleFreeAdamW() {
    this(2.5e-3, 0.9, 0.999, 1e-8, 0, 0, 0, 2, 0);
  }

  /** Makes the rule from named options. */
  public static ScheduleFreeAdamW fromHyper(String method, Hyper hyper) {
    return new ScheduleFreeAdamW(
        hyper.number("lr", 2.5e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        (long) hyper.number("warmup_steps", 0),
        hyper.number("r", 0),
        hyper.number("weight_lr_power", 2),
        hyper.number("inner_momentum", 0));
  }

  /** This, with another lr. */
  public ScheduleFreeAdamW withLr(double newLr) {
    return new ScheduleFreeAdamW(
        newLr, beta1, beta2, eps, weightDecay, warmupSteps, r, weightLrPower, innerMomentum);
  }

  /** This, with another beta1. */
  public ScheduleFreeAdamW withBeta1(double newBeta1) {
    return new ScheduleFreeAdamW(
        lr, newBeta1, beta2, eps, weightDecay, warmupSteps, r, weightLrPower, innerMomentum);
  }

  /** This, with another beta2. */
  public ScheduleFreeAdamW withBeta2(double newBeta2) {
    return new ScheduleFreeAdamW(
        lr, beta1, newBeta2, eps, weightDecay, warmupSteps, r, weightLrPower, innerMomentum);
  }

  /** This, with another eps. */
  public ScheduleFreeAdamW withEps(double newEps) {
    return new ScheduleFreeAdamW(
        lr, beta1, beta2, newEps, weightDecay, warmupSteps, r, weightLrPower, innerMomentum);
  }

  /** This, with another weightDecay. */
  public ScheduleFreeAdamW withWeightDecay(double newWeightDecay) {
    return new ScheduleFreeAdamW(
        lr, beta1, beta2, eps, newWeightDecay, warmupSteps, r, weightLrPower, innerMomentum);
  }

  /** This, with another warmupSteps. */
  public ScheduleFreeAdamW withWarmupSteps(long newWarmupSteps) {
    return new ScheduleFreeAdamW(
        lr, beta1, beta2, eps, weightDecay, newWarmupSteps, r, weightLrPower, innerMomentum);
  }

  /** This, with another r. */
  public ScheduleFreeAdamW withR(double newR) {
    return new ScheduleFreeAdamW(
        lr, beta1, beta2, eps, weightDecay, warmupSteps, newR, weightLrPower, innerMomentum);
  }

  /** This, with another weightLrPower. */
  public ScheduleFreeAdamW withWeightLrPower(double newWeightLrPower) {
    return new ScheduleFreeAdamW(
        lr, beta1, beta2, eps, weightDecay, warmupSteps, r, newWeightLrPower, innerMomentum);
  }

  /** This, with another innerMomentum. */
  public ScheduleFreeAdamW withInnerMomentum(double newInnerMomentum) {
    return new ScheduleFreeAdamW(
        lr, beta1, beta2, eps, weightDecay, warmupSteps, r, weightLrPower, newInnerMomentum);
  }

  @Override
  public String id() {
    return innerMomentum > 0 ? "schedule_free_adamw_momentum" : "schedule_free_adamw";
  }

  @Override
  public List<String> states() {
    return innerMomentum > 0 ? List.of("z", "v", "m") : List.of("z", "v");
  }

  @Override
  public List<String> scalars() {
    return ScheduleFreeArithmetic.SCALARS;
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr, beta1, beta2, eps, weightDecay, warmupSteps, r, weightLrPower, innerMomentum
    };
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double rate = ScheduleFreeArithmetic.warmed(step, step.lr(), warmupSteps);
    double numerator = innerMomentum > 0 ? Moments.correction(innerMomentum, step.step()) : 1.0;
    ScheduleFreeArithmetic.mix(step, rate, beta1, weightDecay, r, weightLrPower, c);
    ScheduleFreeArithmetic.quotient(beta2, eps, numerator, step.step(), true, c);
    c[11] = (float) innerMomentum;
    c[12] = (float) (1.0 - innerMomentum);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    ScheduleFreeArithmetic.begin(c, n, p, state[0]);
    ScheduleFreeArithmetic.moment(c, n, state[1], g);
    if (innerMomentum > 0) {
      float[] m = state[2];
      for (int i = 0; i < n; i++) {
        m[i] = movingAverage(m[i], g[i], c[11], c[12]);
        g[i] = m[i];
      }
    }
    ScheduleFreeArithmetic.direction(c, n, state[1], g);
    ScheduleFreeArithmetic.move(c, n, p, state[0], g);
  }
}
