package org.fettle.steps;

import org.fettle.Hyper;
import org.fettle.Range;

/**
 * The hyperparameters of {@link Smb}.
 *
 * @param lr learning rate, finite and at least 0; default 1
 * @param eta how much longer than the gradient's the model's steps may be, positive; default 0.99
 * @param c of the sufficient decrease, finite and at least 0; default 0.1
 * @param independentBatch whether a failing trial waits for the next batch; default false
 * @param autoschedule whether lr follows the part of model steps; default false
 * @param stepsPerEpoch after how many steps it is looked at, at least 1; default 500
 * @param gamma the part above which lr falls, in [0, 1]; default 0.05
 * @param beta the factor by which lr falls, in (0, 1]; default 0.9
 * @param lrMax what lr does not grow beyond, positive; default 20
 */
public record SmbOptions(
    double lr,
    double eta,
    double c,
    boolean independentBatch,
    boolean autoschedule,
    long stepsPerEpoch,
    double gamma,
    double beta,
    double lrMax) {
  /** Checks the hyperparameters. */
  public SmbOptions {
    Range.nonNegative("lr", lr);
    Range.positive("eta", eta);
    Range.nonNegative("c", c);
    Range.check("stepsPerEpoch", stepsPerEpoch, stepsPerEpoch >= 1, ">= 1");
    Range.check("gamma", gamma, gamma >= 0 && gamma <= 1, "in [0, 1]");
    Range.check("beta", beta, beta > 0 && beta <= 1, "in (0, 1]");
    Range.positive("lrMax", lrMax);
  }

  /** The defaults. */
  public SmbOptions() {
    this(1, 0.99, 0.1, false, false, 500, 0.05, 0.9, 20);
  }

  /** Named options. */
  public static SmbOptions fromHyper(Hyper hyper) {
    return new SmbOptions(
        hyper.number("lr", 1),
        hyper.number("eta", 0.99),
        hyper.number("c", 0.1),
        hyper.flag("independent_batch", false),
        hyper.flag("autoschedule", false),
        (long) hyper.number("n_batches_per_epoch", 500),
        hyper.number("gamma", 0.05),
        hyper.number("beta", 0.9),
        hyper.number("lr_max", 20));
  }

  /** These, with another learning rate. */
  public SmbOptions withLr(double newLr) {
    return new SmbOptions(
        newLr, eta, c, independentBatch, autoschedule, stepsPerEpoch, gamma, beta, lrMax);
  }
}
