package org.fettle.rules;

import static org.fettle.Arithmetic.power;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Schedule-Free RAdam: {@link ScheduleFreeAdamW} with RAdam's rectifier in place of a warm-up.
 *
 * <pre>
 * rho = 2 / (1 - beta2) - 1 - 2 * t * beta2^t / (1 - beta2^t)
 * rho > 4: s = RAdam's rectifier, d as in Schedule-Free AdamW
 * else:    s = 0 (silent) or 1, d = g + wd * y
 * </pre>
 *
 * <p>The parameter is y, where gradients are taken; {@link org.fettle.steps.ScheduleFree} switches
 * it to the average x for evaluation and back. States: {@code z}, the parameter itself before the
 * first step, {@code v}. Scalars: {@code ckp1} c, {@code lr_max}, {@code lr_t}, {@code weight_sum}
 * W. Source: arXiv:2405.15682; facebookresearch/schedule_free.
 *
 * @param lr learning rate, finite and at least 0; default 2.5e-3
 * @param beta1 the share of x in y, in (0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay evaluated at y, finite and at least 0; default 0
 * @param r power of t in the weights, finite; default 0
 * @param weightLrPower power of the rate in the weights, finite and at least 0; default 2
 * @param silentSgdPhase whether nothing moves before the rectifier is defined; default true
 */
@Method(
    names = {"schedule_free_radam"},
    formula =
        "as schedule_free_adamw with lr times RAdam's rectifier; before it is defined d = g + wd y, with lr 0 or unscaled",
    source = "arXiv:2405.15682; facebookresearch/schedule_free")
public record ScheduleFreeRAdam(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double r,
    double weightLrPower,
    boolean silentSgdPhase)
    implements Rule {
  /** Checks the hyperparameters. */
  public ScheduleFreeRAdam {
    Range.nonNegative("lr", lr);
    Range.check("beta1", beta1, beta1 > 0 && beta1 < 1, "in (0, 1)");
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.finite("r", r);
    Range.nonNegative("weightLrPower", weightLrPower);
  }

  /** The defaults. */
  public ScheduleFreeRAdam() {
    this(2.5e-3, 0.9, 0.999, 1e-8, 0, 0, 2, true);
  }

  /** Makes the rule from named options. */
  public static ScheduleFreeRAdam fromHyper(String method, Hyper hyper) {
    return new ScheduleFreeRAdam(
        hyper.number("lr", 2.5e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("r", 0),
        hyper.number("weight_lr_power", 2),
        hyper.flag("silent_sgd_phase", true));
  }

  /** This, with another lr. */
  public ScheduleFreeRAdam withLr(double newLr) {
    return new ScheduleFreeRAdam(
        newLr, beta1, beta2, eps, weightDecay, r, weightLrPower, silentSgdPhase);
  }

  /** This, with another beta1. */
  public ScheduleFreeRAdam withBeta1(double newBeta1) {
    return new ScheduleFreeRAdam(
        lr, newBeta1, beta2, eps, weightDecay, r, weightLrPower, silentSgdPhase);
  }

  /** This, with another beta2. */
  public ScheduleFreeRAdam withBeta2(double newBeta2) {
    return new ScheduleFreeRAdam(
        lr, beta1, newBeta2, eps, weightDecay, r, weightLrPower, silentSgdPhase);
  }

  /** This, with another eps. */
  public ScheduleFreeRAdam withEps(double newEps) {
    return new ScheduleFreeRAdam(
        lr, beta1, beta2, newEps, weightDecay, r, weightLrPower, silentSgdPhase);
  }

  /** This, with another weightDecay. */
  public ScheduleFreeRAdam withWeightDecay(double newWeightDecay) {
    return new ScheduleFreeRAdam(
        lr, beta1, beta2, eps, newWeightDecay, r, weightLrPower, silentSgdPhase);
  }

  /** This, with another r. */
  public ScheduleFreeRAdam withR(double newR) {
    return new ScheduleFreeRAdam(
        lr, beta1, beta2, eps, weightDecay, newR, weightLrPower, silentSgdPhase);
  }

  /** This, with another weightLrPower. */
  public ScheduleFreeRAdam withWeightLrPower(double newWeightLrPower) {
    return new ScheduleFreeRAdam(
        lr, beta1, beta2, eps, weightDecay, r, newWeightLrPower, silentSgdPhase);
  }

  /** This, with another silentSgdPhase. */
  public ScheduleFreeRAdam withSilentSgdPhase(boolean newSilentSgdPhase) {
    return new ScheduleFreeRAdam(
        lr, beta1, beta2, eps, weightDecay, r, weightLrPower, newSilentSgdPhase);
  }

  @Override
  public String id() {
    return "schedule_free_radam";
  }

  @Override
  public List<String> states() {
    return List.of("z", "v");
  }

  @Override
  public List<String> scalars() {
    return ScheduleFreeArithmetic.SCALARS;
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr, beta1, beta2, eps, weightDecay, r, weightLrPower, silentSgdPhase ? 1 : 0
    };
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double longest = 2.0 / (1.0 - beta2) - 1.0;
    double faded = power(beta2, step.step());
    double length = longest - 2.0 * (double) step.step() * faded / (1.0 - faded);
    boolean rectified = length > 4.0;
    double share = silentSgdPhase ? 0.0 : 1.0;
    if (rectified) {
      share =
          Math.sqrt(
              (length - 4.0)
                  * (length - 2.0)
                  * longest
                  / ((longest - 4.0) * (longest - 2.0) * length));
    }
    ScheduleFreeArithmetic.mix(step, step.lr() * share, beta1, weightDecay, r, weightLrPower, c);
    ScheduleFreeArithmetic.quotient(beta2, eps, 1.0, step.step(), rectified, c);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    ScheduleFreeArithmetic.begin(c, n, p, state[0]);
    ScheduleFreeArithmetic.moment(c, n, state[1], g);
    ScheduleFreeArithmetic.direction(c, n, state[1], g);
    ScheduleFreeArithmetic.move(c, n, p, state[0], g);
  }
}
