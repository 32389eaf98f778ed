package org.fettle.steps;

import org.fettle.Range;

/**
 * The hyperparameters of {@link Soap}.
 *
 * @param lr learning rate, finite and at least 0; default 3e-3
 * @param beta1 in [0, 1); default 0.95
 * @param beta2 in [0, 1); default 0.95
 * @param shampooBeta s of the statistics, below 1; negative for beta2; default -1
 * @param eps outside the bias correction, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0.01
 * @param frequency f, calls between two turns of the basis, at least 1; default 10
 * @param correctBias whether the step is corrected as in Adam; default true
 * @param normalize whether the direction has root mean square 1; default false
 * @param maxDimension a longer side keeps the identity, at least 0; default 10,000
 */
public record SoapOptions(
    double lr,
    double beta1,
    double beta2,
    double shampooBeta,
    double eps,
    double weightDecay,
    long frequency,
    boolean correctBias,
    boolean normalize,
    long maxDimension) {
  /** Checks the hyperparameters. */
  public SoapOptions {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.check("shampooBeta", shampooBeta, shampooBeta < 1, "< 1");
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.check("frequency", frequency, frequency >= 1, ">= 1");
    Range.check("maxDimension", maxDimension, maxDimension >= 0, ">= 0");
  }

  /** The defaults. */
  public SoapOptions() {
    this(3e-3, 0.95, 0.95, -1, 1e-8, 0.01, 10, true, false, 10_000);
  }

  /** s, whichever way it was given. */
  double statisticsBeta() {
    return shampooBeta < 0 ? beta2 : shampooBeta;
  }

  /** These, with another learning rate. */
  public SoapOptions withLr(double newLr) {
    return new SoapOptions(
        newLr,
        beta1,
        beta2,
        shampooBeta,
        eps,
        weightDecay,
        frequency,
        correctBias,
        normalize,
        maxDimension);
  }

  /** These, with another weight decay. */
  public SoapOptions withWeightDecay(double newWeightDecay) {
    return new SoapOptions(
        lr,
        beta1,
        beta2,
        shampooBeta,
        eps,
        newWeightDecay,
        frequency,
        correctBias,
        normalize,
        maxDimension);
  }

  /** These, with another bound on the sides that are turned. */
  public SoapOptions withMaxDimension(long newMaxDimension) {
    return new SoapOptions(
        lr,
        beta1,
        beta2,
        shampooBeta,
        eps,
        weightDecay,
        frequency,
        correctBias,
        normalize,
        newMaxDimension);
  }
}
