package org.fettle.rules;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Schedule-Free SGD: an average of the base sequence stands in for a learning-rate schedule.
 *
 * <pre>
 * s = min(1, t / warmupSteps) ;  w = t^r * max(lr s so far)^weightLrPower ;  W = W + w ;  c = w / W, 0 when W = 0
 * d = g + wd * y ;  y = (1 - c) * y + c * z + lr * s * (momentum * (1 - c) - 1) * d ;  z = z - lr * s * d
 * </pre>
 *
 * <p>The parameter is y, where gradients are taken; {@link org.fettle.steps.ScheduleFree} switches
 * it to the average x for evaluation and back. State: {@code z}, the parameter itself before the
 * first step. Scalars: {@code ckp1} c, {@code lr_max}, {@code lr_t}, {@code weight_sum} W. Source:
 * arXiv:2405.15682; facebookresearch/schedule_free.
 *
 * @param lr learning rate, finite and at least 0; default 1
 * @param momentum the share of x in y, in (0, 1); default 0.9
 * @param weightDecay evaluated at y, finite and at least 0; default 0
 * @param warmupSteps over which the rate grows, at least 0; default 0
 * @param r power of t in the weights, finite; default 0
 * @param weightLrPower power of the rate in the weights, finite and at least 0; default 2
 */
@Method(
    names = {"schedule_free_sgd"},
    formula =
        "w = t^r lrmax^q; c = w/sum w; d = g + wd y; y = (1-c) y + c z + lr (beta (1-c) - 1) d; z -= lr d",
    source = "arXiv:2405.15682; facebookresearch/schedule_free")
public record ScheduleFreeSgd(
    double lr,
    double momentum,
    double weightDecay,
    long warmupSteps,
    double r,
    double weightLrPower)
    implements Rule {
  /** Checks the hyperparameters. */
  public ScheduleFreeSgd {
    Range.nonNegative("lr", lr);
    Range.check("momentum", momentum, momentum > 0 && momentum < 1, "in (0, 1)");
    Range.nonNegative("weightDecay", weightDecay);
    Range.check("warmupSteps", warmupSteps, warmupSteps >= 0, ">= 0");
    Range.finite("r", r);
    Range.nonNegative("weightLrPower", weightLrPower);
  }

  /** The defaults. */
  public ScheduleFreeSgd() {
    this(1, 0.9, 0, 0, 0, 2);
  }

  /** Makes the rule from named options. */
  public static ScheduleFreeSgd fromHyper(String method, Hyper hyper) {
    return new ScheduleFreeSgd(
        hyper.number("lr", 1),
        hyper.number("momentum", 0.9),
        hyper.number("weight_decay", 0),
        (long) hyper.number("warmup_steps", 0),
        hyper.number("r", 0),
        hyper.number("weight_lr_power", 2));
  }

  /** This, with another lr. */
  public ScheduleFreeSgd withLr(double newLr) {
    return new ScheduleFreeSgd(newLr, momentum, weightDecay, warmupSteps, r, weightLrPower);
  }

  /** This, with another momentum. */
  public ScheduleFreeSgd withMomentum(double newMomentum) {
    return new ScheduleFreeSgd(lr, newMomentum, weightDecay, warmupSteps, r, weightLrPower);
  }

  /** This, with another weightDecay. */
  public ScheduleFreeSgd withWeightDecay(double newWeightDecay) {
    return new ScheduleFreeSgd(lr, momentum, newWeightDecay, warmupSteps, r, weightLrPower);
  }

  /** This, with another warmupSteps. */
  public ScheduleFreeSgd withWarmupSteps(long newWarmupSteps) {
    return new ScheduleFreeSgd(lr, momentum, weightDecay, newWarmupSteps, r, weightLrPower);
  }

  /** This, with another r. */
  public ScheduleFreeSgd withR(double newR) {
    return new ScheduleFreeSgd(lr, momentum, weightDecay, warmupSteps, newR, weightLrPower);
  }

  /** This, with another weightLrPower. */
  public ScheduleFreeSgd withWeightLrPower(double newWeightLrPower) {
    return new ScheduleFreeSgd(lr, momentum, weightDecay, warmupSteps, r, newWeightLrPower);
  }

  @Override
  public String id() {
    return "schedule_free_sgd";
  }

  @Override
  public List<String> states() {
    return List.of("z");
  }

  @Override
  public List<String> scalars() {
    return ScheduleFreeArithmetic.SCALARS;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, momentum, weightDecay, warmupSteps, r, weightLrPower};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double rate = ScheduleFreeArithmetic.warmed(step, step.lr(), warmupSteps);
    ScheduleFreeArithmetic.mix(step, rate, momentum, weightDecay, r, weightLrPower, c);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    ScheduleFreeArithmetic.begin(c, n, p, state[0]);
    ScheduleFreeArithmetic.move(c, n, p, state[0], g);
  }
}
