package org.fettle.steps;

import java.util.Objects;
import org.fettle.Range;

/**
 * The hyperparameters of {@link Muon}.
 *
 * @param lr learning rate, finite and at least 0; default 0.02
 * @param momentum in [0, 1); default 0.95
 * @param nesterov whether the direction looks ahead; default true
 * @param weightDecay finite and at least 0; default 0
 * @param newtonSchulz of the iteration
 */
public record MuonOptions(
    double lr,
    double momentum,
    boolean nesterov,
    double weightDecay,
    NewtonSchulz.Options newtonSchulz) {
  /** Checks the hyperparameters. */
  public MuonOptions {
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.nonNegative("weightDecay", weightDecay);
    Objects.requireNonNull(newtonSchulz, "newtonSchulz");
  }

  /** The defaults. */
  public MuonOptions() {
    this(0.02, 0.95, true, 0, new NewtonSchulz.Options());
  }

  /** These, with another learning rate. */
  public MuonOptions withLr(double newLr) {
    return new MuonOptions(newLr, momentum, nesterov, weightDecay, newtonSchulz);
  }

  /** These, with another weight decay. */
  public MuonOptions withWeightDecay(double newWeightDecay) {
    return new MuonOptions(lr, momentum, nesterov, newWeightDecay, newtonSchulz);
  }
}
