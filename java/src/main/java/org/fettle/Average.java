package org.fettle;

import java.util.Objects;

/**
 * An exponential moving average of the parameters that rides on the step: {@code average <- a *
 * average + (1 - a) * parameter}. The average tensor starts as the caller filled it, usually a copy
 * of the parameter.
 *
 * <p>Source: Westlake-AI/SEMA, EMAHook. With i the number of the tensor's step counted from 0 and i
 * at most {@code warmupSteps}: {@link Warmup#CONSTANT} gives a = ratio * decay, {@link
 * Warmup#LINEAR} gives a = decay * (1 - (1 - i / warmupSteps) * (1 - ratio)); later, and without
 * warm-up, a = decay.
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
    LINEAR(2);

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
  }

  /** Whether the average moves in a tensor's given step, the first being 1. */
  public boolean movesAt(long step) {
    Range.check("step", step, step >= 1, ">= 1");
    return step % interval == 0;
  }

  /** The factor a in a tensor's given step, the first being 1. */
  public double factor(long step) {
    Range.check("step", step, step >= 1, ">= 1");
    double iteration = (double) (step - 1);
    if (warmup == Warmup.NONE || iteration > (double) warmupSteps) {
      return decay;
    }
    if (warmup == Warmup.CONSTANT) {
      return decay * warmupRatio;
    }
    double left = warmupSteps > 0 ? 1.0 - iteration / (double) warmupSteps : 0.0;
    return decay * (1.0 - left * (1.0 - warmupRatio));
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
