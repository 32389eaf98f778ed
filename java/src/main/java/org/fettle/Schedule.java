package org.fettle;

import java.util.function.LongToDoubleFunction;

/**
 * A number that changes from step to step, usually a learning rate: {@code
 * step.lr(schedule.at(t))}. Computed on the host, in double, with operations that give the same
 * bits on every machine.
 *
 * <p>t counts as in the rules: 1 in the first step; {@code at(0)} is what stands before it. Behind
 * its end a schedule stays where it ended.
 */
@FunctionalInterface
public interface Schedule {
  /** The value in step t &gt;= 0. */
  double at(long t);

  /** Always the same. */
  static Schedule constant(double value) {
    Range.finite("value", value);
    return t -> value;
  }

  /** A straight line from start to end over that many steps. */
  static Schedule linear(double start, double end, long steps) {
    return over(steps, start, end, part -> start + part * (end - start));
  }

  /** Half a cosine from start to end over that many steps. */
  static Schedule cosine(double start, double end, long steps) {
    return over(steps, start, end, part -> end + (start - end) * fall(part));
  }

  /** {@code end + (start - end) * (1 - t / steps)^power}. */
  static Schedule polynomial(double start, double end, long steps, double power) {
    Range.positive("power", power);
    return over(
        steps, start, end, part -> end + (start - end) * Transcendental.power(1.0 - part, power));
  }

  /**
   * {@code value * sqrt(steps / max(t, steps))}, with a linear warm-up before: the schedule of the
   * Transformer, whose value is reached at {@code t = steps}.
   */
  static Schedule inverseSquareRoot(double value, long steps) {
    Range.finite("value", value);
    checkSteps(steps);
    return t ->
        checked(t) < steps
            ? value * ((double) t / (double) steps)
            : value * Math.sqrt((double) steps / (double) t);
  }

  /**
   * One cycle: a cosine from {@code peak / startDivisor} up to the peak in the first part of the
   * steps, and a cosine down to {@code peak / startDivisor / endDivisor} in the rest.
   *
   * @param peak the largest value
   * @param steps all of them
   * @param warmupPart the part of the steps that goes up, in (0, 1); 0.3 is common
   * @param startDivisor 25 is common
   * @param endDivisor 1e4 is common
   */
  static Schedule oneCycle(
      double peak, long steps, double warmupPart, double startDivisor, double endDivisor) {
    Range.check("steps", steps, steps >= 2, ">= 2");
    Range.check("warmupPart", warmupPart, warmupPart > 0 && warmupPart < 1, "in (0, 1)");
    Range.positive("startDivisor", startDivisor);
    Range.positive("endDivisor", endDivisor);
    long up = Math.max(1, Math.min(steps - 1, Math.round(warmupPart * (double) steps)));
    double start = peak / startDivisor;
    Schedule rise = cosine(start, peak, up);
    Schedule descent = cosine(peak, start / endDivisor, steps - up);
    return t -> t <= up ? rise.at(t) : descent.at(t - up);
  }

  /** Any function of t. */
  static Schedule of(LongToDoubleFunction function) {
    return function::applyAsDouble;
  }

  /**
   * This, multiplied by {@code min(1, t / steps)}.
   *
   * @param steps the first step with the whole value
   */
  default Schedule withWarmup(long steps) {
    checkSteps(steps);
    return t -> t < steps ? at(t) * ((double) checked(t) / (double) steps) : at(t);
  }

  /** A linear rise from 0 over so many steps, then this one, which begins to count there. */
  default Schedule afterWarmup(long steps) {
    checkSteps(steps);
    return t -> t < steps ? at(0) * ((double) checked(t) / (double) steps) : at(t - steps);
  }

  private static Schedule over(
      long steps, double start, double end, java.util.function.DoubleUnaryOperator part) {
    Range.finite("start", start);
    Range.finite("end", end);
    checkSteps(steps);
    return t -> checked(t) >= steps ? end : part.applyAsDouble((double) t / (double) steps);
  }

  /** From 1 at 0 to 0 at 1; StrictMath has the same bits on every JVM. */
  private static double fall(double part) {
    return 0.5 * (1.0 + StrictMath.cos(Math.PI * part));
  }

  private static long checked(long t) {
    Range.check("t", t, t >= 0, ">= 0");
    return t;
  }

  private static void checkSteps(long steps) {
    Range.check("steps", steps, steps >= 1, ">= 1");
  }
}
