package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * SGD, with momentum, dampening, Nesterov, coupled or decoupled weight decay (SGDW).
 *
 * <pre>
 * coupled: g = g + wd * p      decoupled: p = p * (1 - lr * wd)
 * first step: b = g            later: b = momentum * b + (1 - dampening) * g
 * d = g + momentum * b if nesterov, else b (g itself without momentum)
 * p = p - lr * d
 * </pre>
 *
 * <p>State: {@code momentum}, none without momentum. Source: torch.optim.SGD; SGDW
 * arXiv:1711.05101, Algorithm 1, in the lr-scaled form.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param momentum in [0, 1); default 0
 * @param dampening in [0, 1], acts from the second step on; default 0
 * @param nesterov needs momentum and no dampening; default false
 * @param weightDecay finite and at least 0; default 0
 * @param decoupled whether the decay scales the parameter (SGDW) instead of entering the gradient;
 *     default false
 */
@Method(
    names = {"sgd", "sgdw"},
    formula = "b = momentum b + (1 - dampening) g; p -= lr (nesterov ? g + momentum b : b)",
    source = "torch.optim.SGD; SGDW arXiv:1711.05101",
    differs = "momentum must be below 1; decoupled decay is scaled by lr")
public record Sgd(
    double lr,
    double momentum,
    double dampening,
    boolean nesterov,
    double weightDecay,
    boolean decoupled)
    implements Rule {
  /** Checks the hyperparameters. */
  public Sgd {
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.check("dampening", dampening, dampening >= 0 && dampening <= 1, "in [0, 1]");
    Range.nonNegative("weightDecay", weightDecay);
    if (nesterov && (momentum == 0 || dampening != 0)) {
      throw new IllegalArgumentException(
          "nesterov is true with momentum "
              + momentum
              + " and dampening "
              + dampening
              + ": expected momentum > 0 and dampening 0");
    }
  }

  /** The defaults. */
  public Sgd() {
    this(1e-3, 0, 0, false, 0, false);
  }

  /** Makes the rule from named options. */
  public static Sgd fromHyper(String method, Hyper hyper) {
    return new Sgd(
        hyper.number("lr", 1e-3),
        hyper.number("momentum", 0),
        hyper.number("dampening", 0),
        hyper.flag("nesterov", false),
        hyper.number("weight_decay", 0),
        hyper.flag("decoupled", method.equals("sgdw")));
  }

  /** This, with another lr. */
  public Sgd withLr(double newLr) {
    return new Sgd(newLr, momentum, dampening, nesterov, weightDecay, decoupled);
  }

  /** This, with another momentum. */
  public Sgd withMomentum(double newMomentum) {
    return new Sgd(lr, newMomentum, dampening, nesterov, weightDecay, decoupled);
  }

  /** This, with another dampening. */
  public Sgd withDampening(double newDampening) {
    return new Sgd(lr, momentum, newDampening, nesterov, weightDecay, decoupled);
  }

  /** This, with another nesterov. */
  public Sgd withNesterov(boolean newNesterov) {
    return new Sgd(lr, momentum, dampening, newNesterov, weightDecay, decoupled);
  }

  /** This, with another weightDecay. */
  public Sgd withWeightDecay(double newWeightDecay) {
    return new Sgd(lr, momentum, dampening, nesterov, newWeightDecay, decoupled);
  }

  /** This, with another decoupled. */
  public Sgd withDecoupled(boolean newDecoupled) {
    return new Sgd(lr, momentum, dampening, nesterov, weightDecay, newDecoupled);
  }

  @Override
  public String id() {
    return momentum > 0 ? "sgd_momentum" : "sgd";
  }

  @Override
  public List<String> states() {
    return momentum > 0 ? List.of("momentum") : List.of();
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, momentum, dampening, nesterov ? 1 : 0, weightDecay, decoupled ? 1 : 0};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    boolean first = step.step() == 1;
    c[0] = decoupled ? 0f : (float) weightDecay;
    c[1] = decoupled ? (float) (1.0 - step.lr() * weightDecay) : 1f;
    c[2] = (float) -step.lr();
    c[3] = first ? 0f : (float) momentum;
    c[4] = first ? 1f : (float) (1.0 - dampening);
    c[5] = nesterov ? (float) momentum : 0f;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float decay = c[1];
    final float minusLr = c[2];
    addCoupledDecay(g, p, c[0], n);
    if (momentum == 0) {
      for (int i = 0; i < n; i++) {
        p[i] = fma(minusLr, g[i], p[i] * decay);
      }
      return;
    }
    final float keep = c[3];
    final float take = c[4];
    final float lookAhead = c[5];
    final float[] b = state[0];
    for (int i = 0; i < n; i++) {
      b[i] = movingAverage(b[i], g[i], keep, take);
    }
    for (int i = 0; i < n; i++) {
      float direction = lookAhead == 0f ? b[i] : fma(lookAhead, b[i], g[i]);
      p[i] = fma(minusLr, direction, p[i] * decay);
    }
  }
}
