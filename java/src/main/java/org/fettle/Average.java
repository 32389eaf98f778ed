package org.fettle;

import java.util.Objects;
import org.fettle.averages.PowerProfile;

/**
 * An exponential moving average of the parameters that rides on the step: {@code average <- a *
 * average + (1 - a) * parameter}. The average tensor starts as the caller filled it, usually a copy
 * of the parameter.
 *
 * <p>Source: Westlake-AI/SEMA, EMAHook. With i the number of the tensor's step counted from 0 and i
 * at most {@code warmupSteps}: {@link Warmup#CONSTANT} gives a = ratio * decay, {@link
 * Warmup#LINEAR} gives a = decay * (1 - (1 - i / warmupSteps) * (1 - ratio)), {@link
 * Warmup#EXPONENTIAL} gives a = decay * ratio^(1 - i / warmupSteps); later, and without warm-up, a
 * = decay.
 *
 * <p>Other profiles ride as well: {@link #halfLife}, {@link #power}, {@link #uniform} and {@link
 * #lookahead}. Theirs and more can also move outside a step ({@link
 * org.fettle.averages.MovingAverage}).
 *
 * @param decay the factor a, in [0, 1]; default 0.9999
 * @param warmup how a grows
 * @param warmupSteps the length of the warm-up, at least 0
 * @param warmupRatio where the warm-up starts, in [0, 1]
 * @param interval the average moves in every {@code interval}-th step of a tensor
 */
public record Average(
    double decay, Warmup warmup, long warmupSteps, double warmupRatio, long interval) {
  /** How the factor grows in the first steps. */
  public enum Warmup {
    /** It does not. */
    NONE(0),
    /** It is smaller by the ratio. */
    CONSTANT(1),
    /** It grows linearly from the ratio. */
    LINEAR(2),
    /** It grows exponentially from the ratio. */
    EXPONENTIAL(3),
    /**
     * It is limited to a half-life of the ratio times the steps so far ({@link Average#halfLife}).
     */
    HALF_LIFE(4),
    /** A power-function profile, whose deviation is the ratio ({@link Average#power}). */
    POWER(5),
    /** All captures count the same ({@link Average#uniform}). */
    UNIFORM(6),
    /**
     * The decay; the parameters become the average whenever it moved ({@link Average#lookahead}).
     */
    LOOKAHEAD(7);

    private final int code;

    Warmup(int code) {
      this.code = code;
    }

    /** The number in the C ABI ({@code enum fettle_warmup}). */
    public int code() {
      return code;
    }
  }

  /** Checks the numbers. */
  public Average {
    Objects.requireNonNull(warmup, "warmup");
    Range.check("average decay", decay, decay >= 0 && decay <= 1, "in [0, 1]");
    Range.check(
        "average warmupRatio", warmupRatio, warmupRatio >= 0 && warmupRatio <= 1, "in [0, 1]");
    Range.check("average warmupSteps", warmupSteps, warmupSteps >= 0, ">= 0");
    Range.check("average interval", interval, interval >= 1, ">= 1");
    if (warmup == Warmup.POWER) {
      PowerProfile.check(warmupRatio);
    }
  }

  /**
   * An average with a half-life (NVlabs/edm2): a = 0.5^(1 / h), h = min(steps, rampUp * t) in the
   * tensor's t-th step.
   *
   * @param steps the half-life in steps, finite and &gt; 0
   * @param rampUp in (0, 1]; published default 0.09
   */
  public static Average halfLife(double steps, double rampUp) {
    Range.positive("half-life", steps);
    Range.check("rampUp", rampUp, rampUp > 0 && rampUp <= 1, "in (0, 1]");
    return new Average(Transcendental.power(0.5, 1 / steps), Warmup.HALF_LIFE, 0, rampUp, 1);
  }

  /**
   * An average with a power-function profile: a = (1 - 1 / t)^(gamma + 1) in the tensor's t-th
   * step, so that the first one copies (arXiv:2312.02696; {@link PowerProfile}).
   *
   * @param deviation the relative standard deviation, in (0, 0.30028]
   */
  public static Average power(double deviation) {
    return new Average(0, Warmup.POWER, 0, deviation, 1);
  }

  /**
   * The mean of what was captured (SWA, arXiv:1803.05407): the first capture copies, the next moves
   * by 1/2, by 1/3, ...
   *
   * @param start steps before the first capture, at least 0
   * @param interval steps from one capture to the next, at least 1
   */
  public static Average uniform(long start, long interval) {
    return new Average(0, Warmup.UNIFORM, start, 0, interval);
  }

  /**
   * Lookahead (arXiv:1907.08610), riding on the step: in every {@code interval}-th step of a tensor
   * the slow weights move, {@code slow <- (1 - alpha) * slow + alpha * parameter}, and the
   * parameter becomes the slow weight, each rounded to its own format; where a mask prunes it stays
   * 0. The average tensor holds the slow weights and starts as a copy of the parameter. Costs its 8
   * bytes in those steps and nothing in the others; {@link org.fettle.averages.Lookahead} is a pass
   * of its own.
   *
   * @param alpha how far the slow weights go, in [0, 1]; published default 0.8, in the paper 0.5
   * @param interval k, at least 1; default 5
   */
  public static Average lookahead(double alpha, long interval) {
    Range.check("alpha", alpha, alpha >= 0 && alpha <= 1, "in [0, 1]");
    return new Average(1 - alpha, Warmup.LOOKAHEAD, 0, 0, interval);
  }

  /** Whether the parameters become the average whenever it moved. */
  public boolean pulls() {
    return warmup == Warmup.LOOKAHEAD;
  }

  /** Whether the average moves in a tensor's given step, the first being 1. */
  public boolean movesAt(long step) {
    Range.check("step", step, step >= 1, ">= 1");
    if (warmup == Warmup.UNIFORM) {
      return step > warmupSteps && (step - 1 - warmupSteps) % interval == 0;
    }
    return step % interval == 0;
  }

  /** The factor a in a tensor's given step, the first being 1. */
  public double factor(long step) {
    Range.check("step", step, step >= 1, ">= 1");
    double iteration = (double) (step - 1);
    if (warmup == Warmup.HALF_LIFE) {
      return Math.min(decay, Transcendental.power(0.5, 1.0 / (warmupRatio * (double) step)));
    }
    if (warmup == Warmup.POWER) {
      return Transcendental.power(1.0 - 1.0 / (double) step, nativeDecay());
    }
    if (warmup == Warmup.UNIFORM) {
      double before = (double) Math.max(0, (step - 1 - warmupSteps) / interval);
      return before / (before + 1.0);
    }
    if (warmup == Warmup.NONE || pulls() || iteration > (double) warmupSteps) {
      return decay;
    }
    if (warmup == Warmup.CONSTANT) {
      return decay * warmupRatio;
    }
    double left = warmupSteps > 0 ? 1.0 - iteration / (double) warmupSteps : 0.0;
    return warmup == Warmup.EXPONENTIAL
        ? decay * Transcendental.power(warmupRatio, left)
        : decay * (1.0 - left * (1.0 - warmupRatio));
  }

  /** What the plan tables have for the decay: of a power-function profile the exponent. */
  public double nativeDecay() {
    return warmup == Warmup.POWER ? new PowerProfile(warmupRatio).gamma() + 1.0 : decay;
  }

  /** An average with that decay, in every step, without warm-up. */
  public Average(double decay) {
    this(decay, Warmup.NONE, 0, 0.9, 1);
  }

  /** This, with a warm-up. */
  public Average withWarmup(Warmup newWarmup, long steps, double ratio) {
    return new Average(decay, newWarmup, steps, ratio, interval);
  }

  /** This, moving in every {@code newInterval}-th step only. */
  public Average withInterval(long newInterval) {
    return new Average(decay, warmup, warmupSteps, warmupRatio, newInterval);
  }
}
