package org.fettle.steps;

import java.util.Objects;
import org.fettle.Hyper;
import org.fettle.Range;

/**
 * The hyperparameters of {@link Frugal}, {@link FrugalBlocks} and {@link FrugalLowRank}.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay scales the parameter, finite and at least 0; default 0.01
 * @param density the part that keeps moments, in [0, 1]; default 0.25
 * @param updateGap steps between two selections, at least 1; default 200
 * @param resetStatistics whether a selection starts moments and counter anew; if not, moments stay
 *     in place while what they belong to changes; default true
 * @param correctBias whether the step is corrected as in Adam; default true
 * @param selectedScale a, a factor of the step, finite and at least 0; default 1
 * @param otherScale b, a factor of the others' step besides, finite and at least 0; default 1
 * @param others what moves those without moments; default the sign
 */
public record FrugalOptions(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double density,
    long updateGap,
    boolean resetStatistics,
    boolean correctBias,
    double selectedScale,
    double otherScale,
    Others others) {
  /** The step of elements without moments. */
  public enum Others {
    /** They stay. */
    NONE,
    /** The sign of the gradient. */
    SIGN,
    /** The gradient. */
    SGD
  }

  /** Checks the hyperparameters. */
  public FrugalOptions {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.check("density", density, density >= 0 && density <= 1, "in [0, 1]");
    Range.check("updateGap", updateGap, updateGap >= 1, ">= 1");
    Range.nonNegative("selectedScale", selectedScale);
    Range.nonNegative("otherScale", otherScale);
    Objects.requireNonNull(others, "others");
  }

  /** The defaults. */
  public FrugalOptions() {
    this(1e-3, 0.9, 0.999, 1e-8, 0.01, 0.25, 200, true, true, 1, 1, Others.SIGN);
  }

  /** Named options. */
  public static FrugalOptions fromHyper(Hyper hyper) {
    String rule =
        hyper.has("inactive_update_rule") ? hyper.word("inactive_update_rule") : "sign_sgd";
    Others others =
        switch (rule) {
          case "no" -> Others.NONE;
          case "sign_sgd" -> Others.SIGN;
          case "sgd" -> Others.SGD;
          default ->
              throw new IllegalArgumentException(
                  "inactive_update_rule is " + rule + ": expected no, sign_sgd or sgd");
        };
    return new FrugalOptions(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0.01),
        hyper.number("density", 0.25),
        (long) hyper.number("update_gap", 200),
        hyper.flag("reset_statistics", true),
        hyper.flag("correct_bias", true),
        hyper.number("proj_params_lr_scale", 1),
        hyper.number("inactive_lr_scale", 1),
        others);
  }

  /** These, with another learning rate. */
  public FrugalOptions withLr(double newLr) {
    return new FrugalOptions(
        newLr,
        beta1,
        beta2,
        eps,
        weightDecay,
        density,
        updateGap,
        resetStatistics,
        correctBias,
        selectedScale,
        otherScale,
        others);
  }

  /** The others' step as kernels number it. */
  int othersNumber() {
    return others == Others.NONE ? 0 : others == Others.SIGN ? 1 : 2;
  }
}
