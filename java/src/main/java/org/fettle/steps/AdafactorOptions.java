package org.fettle.steps;

import java.util.Objects;
import java.util.OptionalDouble;
import org.fettle.Hyper;
import org.fettle.Range;

/**
 * The hyperparameters of {@link Adafactor}.
 *
 * @param lr learning rate, finite and at least 0; must be absent with {@code relativeStep} and
 *     given without it; default absent
 * @param eps1 added to the squared gradient, finite and at least 0; default 1e-30
 * @param eps2 the least root mean square of a parameter, finite and at least 0; default 1e-3
 * @param clipThreshold the root mean square that an update is clipped to, finite and more than 0;
 *     default 1
 * @param decayRate the exponent c of {@code b = 1 - t^c}, finite and at most 0; default -0.8
 * @param beta1 in [0, 1), or absent for no first moment; default absent
 * @param weightDecay scales the parameter by 1 - weightDecay * a, finite and at least 0; default 0
 * @param scaleParameter whether the step grows with the parameter's root mean square; default true
 * @param relativeStep whether the learning rate follows from t; default true
 * @param warmupInit whether it starts at 1e-6 * t, only with {@code relativeStep}; default false
 */
public record AdafactorOptions(
    OptionalDouble lr,
    double eps1,
    double eps2,
    double clipThreshold,
    double decayRate,
    OptionalDouble beta1,
    double weightDecay,
    boolean scaleParameter,
    boolean relativeStep,
    boolean warmupInit) {
  /** Checks the hyperparameters. */
  public AdafactorOptions {
    Objects.requireNonNull(lr, "lr");
    Objects.requireNonNull(beta1, "beta1");
    if (relativeStep && lr.isPresent()) {
      throw new IllegalArgumentException(
          "lr is " + lr.getAsDouble() + ": expected none with relativeStep, which makes its own");
    }
    if (!relativeStep && lr.isEmpty()) {
      throw new IllegalArgumentException("lr is absent: expected one without relativeStep");
    }
    if (warmupInit && !relativeStep) {
      throw new IllegalArgumentException(
          "warmupInit is true: expected false without relativeStep, which it belongs to");
    }
    lr.ifPresent(value -> Range.nonNegative("lr", value));
    Range.nonNegative("eps1", eps1);
    Range.nonNegative("eps2", eps2);
    Range.positive("clipThreshold", clipThreshold);
    Range.check(
        "decayRate", decayRate, decayRate <= 0 && Double.isFinite(decayRate), "finite and <= 0");
    beta1.ifPresent(value -> Range.fraction("beta1", value));
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults: a step that follows from t, no first moment. */
  public AdafactorOptions() {
    this(
        OptionalDouble.empty(), 1e-30, 1e-3, 1, -0.8, OptionalDouble.empty(), 0, true, true, false);
  }

  /** Makes the options from named ones. */
  public static AdafactorOptions fromHyper(Hyper hyper) {
    return new AdafactorOptions(
        optional(hyper, "lr"),
        hyper.number("eps1", 1e-30),
        hyper.number("eps2", 1e-3),
        hyper.number("clip_threshold", 1),
        hyper.number("decay_rate", -0.8),
        optional(hyper, "beta1"),
        hyper.number("weight_decay", 0),
        hyper.flag("scale_parameter", true),
        hyper.flag("relative_step", true),
        hyper.flag("warmup_init", false));
  }

  private static OptionalDouble optional(Hyper hyper, String name) {
    return hyper.has(name) ? OptionalDouble.of(hyper.number(name)) : OptionalDouble.empty();
  }

  /** These, with a learning rate in place of the one that follows from t. */
  public AdafactorOptions withLr(double newLr) {
    return new AdafactorOptions(
        OptionalDouble.of(newLr),
        eps1,
        eps2,
        clipThreshold,
        decayRate,
        beta1,
        weightDecay,
        scaleParameter,
        false,
        false);
  }

  /** These, with a first moment. */
  public AdafactorOptions withBeta1(double newBeta1) {
    return new AdafactorOptions(
        lr,
        eps1,
        eps2,
        clipThreshold,
        decayRate,
        OptionalDouble.of(newBeta1),
        weightDecay,
        scaleParameter,
        relativeStep,
        warmupInit);
  }

  /** These, with another weight decay. */
  public AdafactorOptions withWeightDecay(double newWeightDecay) {
    return new AdafactorOptions(
        lr,
        eps1,
        eps2,
        clipThreshold,
        decayRate,
        beta1,
        newWeightDecay,
        scaleParameter,
        relativeStep,
        warmupInit);
  }

  /** These, with another scaleParameter. */
  public AdafactorOptions withScaleParameter(boolean newScaleParameter) {
    return new AdafactorOptions(
        lr,
        eps1,
        eps2,
        clipThreshold,
        decayRate,
        beta1,
        weightDecay,
        newScaleParameter,
        relativeStep,
        warmupInit);
  }
}
