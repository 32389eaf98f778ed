package org.fettle.steps;

import org.fettle.Hyper;
import org.fettle.Range;

/**
 * The hyperparameters of {@link Prodigy}.
 *
 * @param lr a factor of the step size that is found, finite and at least 0; default 1
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param beta3 of the estimate, in [0, 1]; default the square root of beta2
 * @param eps finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param decouple whether the decay scales the parameter; default true
 * @param useBiasCorrection whether delta is corrected as in Adam; default false
 * @param safeguardWarmup whether s takes d in place of delta, for a warm-up of lr; default false
 * @param d0 where d starts, positive; default 1e-6
 * @param dCoef a factor of the estimate, finite and at least 0; default 1
 * @param growthRate how much d may grow in a step, at least 1; default infinite
 * @param slice every how many elements the estimate looks, at least 1; default 1
 */
public record ProdigyOptions(
    double lr,
    double beta1,
    double beta2,
    double beta3,
    double eps,
    double weightDecay,
    boolean decouple,
    boolean useBiasCorrection,
    boolean safeguardWarmup,
    double d0,
    double dCoef,
    double growthRate,
    long slice) {
  /** Checks the hyperparameters. */
  public ProdigyOptions {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.check("beta3", beta3, beta3 >= 0 && beta3 <= 1, "in [0, 1]");
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.positive("d0", d0);
    Range.nonNegative("dCoef", dCoef);
    Range.check("growthRate", growthRate, growthRate >= 1, ">= 1");
    Range.check("slice", slice, slice >= 1, ">= 1");
  }

  /** The defaults. */
  public ProdigyOptions() {
    this(
        1,
        0.9,
        0.999,
        Math.sqrt(0.999),
        1e-8,
        0,
        true,
        false,
        false,
        1e-6,
        1,
        Double.POSITIVE_INFINITY,
        1);
  }

  /** Named options. */
  public static ProdigyOptions fromHyper(Hyper hyper) {
    double beta2 = hyper.number("beta2", 0.999);
    return new ProdigyOptions(
        hyper.number("lr", 1),
        hyper.number("beta1", 0.9),
        beta2,
        hyper.number("beta3", Math.sqrt(beta2)),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.flag("decouple", true),
        hyper.flag("use_bias_correction", false),
        hyper.flag("safeguard_warmup", false),
        hyper.number("d0", 1e-6),
        hyper.number("d_coef", 1),
        hyper.number("growth_rate", Double.POSITIVE_INFINITY),
        (long) hyper.number("slice_p", 1));
  }

  /** These, with another learning rate. */
  public ProdigyOptions withLr(double newLr) {
    return new ProdigyOptions(
        newLr,
        beta1,
        beta2,
        beta3,
        eps,
        weightDecay,
        decouple,
        useBiasCorrection,
        safeguardWarmup,
        d0,
        dCoef,
        growthRate,
        slice);
  }

  /** These, with another weight decay. */
  public ProdigyOptions withWeightDecay(double newWeightDecay) {
    return new ProdigyOptions(
        lr,
        beta1,
        beta2,
        beta3,
        eps,
        newWeightDecay,
        decouple,
        useBiasCorrection,
        safeguardWarmup,
        d0,
        dCoef,
        growthRate,
        slice);
  }
}
