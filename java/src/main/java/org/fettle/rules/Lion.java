package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.sign;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Lion.
 *
 * <pre>
 * p = p * (1 - lr * wd)
 * p = p - lr * sign(beta1 * m + (1 - beta1) * g)       with the old m
 * m = beta2 * m + (1 - beta2) * g
 * </pre>
 *
 * <p>sign(0) is 0. State: {@code m}. The argument of the sign is two rounded products and one
 * rounded sum, not an fma: another rounding could flip the sign where the sum cancels. Source:
 * arXiv:2302.06675; google/automl.
 *
 * @param lr learning rate, finite and at least 0; default 1e-4
 * @param beta1 of the direction, in [0, 1); default 0.9
 * @param beta2 of the state, in [0, 1); default 0.99
 * @param weightDecay scales the parameter, finite and at least 0; default 0
 */
@Method(
    names = {"lion"},
    formula = "p *= 1 - lr wd; p -= lr sign(beta1 m + (1 - beta1) g); m = ema(m, g, beta2)",
    source = "arXiv:2302.06675; google/automl",
    differs = "sign(NaN) is NaN, where PyTorch 1.x gives 0")
public record Lion(double lr, double beta1, double beta2, double weightDecay) implements Rule {
  /** Checks the hyperparameters. */
  public Lion {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public Lion() {
    this(1e-4, 0.9, 0.99, 0);
  }

  /** Makes the rule from named options. */
  public static Rule fromHyper(String method, Hyper hyper) {
    double lr = hyper.number("lr", 1e-4);
    double beta1 = hyper.number("beta1", 0.9);
    double beta2 = hyper.number("beta2", 0.99);
    double weightDecay = hyper.number("weight_decay", 0);
    return hyper.flag("cautious", false)
        ? new CautiousLion(lr, beta1, beta2, weightDecay)
        : new Lion(lr, beta1, beta2, weightDecay);
  }

  /** This, with another lr. */
  public Lion withLr(double newLr) {
    return new Lion(newLr, beta1, beta2, weightDecay);
  }

  /** This, with another beta1. */
  public Lion withBeta1(double newBeta1) {
    return new Lion(lr, newBeta1, beta2, weightDecay);
  }

  /** This, with another beta2. */
  public Lion withBeta2(double newBeta2) {
    return new Lion(lr, beta1, newBeta2, weightDecay);
  }

  /** This, with another weightDecay. */
  public Lion withWeightDecay(double newWeightDecay) {
    return new Lion(lr, beta1, beta2, newWeightDecay);
  }

  @Override
  public String id() {
    return "lion";
  }

  @Override
  public List<String> states() {
    return List.of("m");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, weightDecay};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = (float) beta1;
    c[1] = (float) (1.0 - beta1);
    c[2] = (float) beta2;
    c[3] = (float) (1.0 - beta2);
    c[4] = (float) -step.lr();
    c[5] = (float) (1.0 - step.lr() * weightDecay);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep1 = c[0];
    final float take1 = c[1];
    final float keep2 = c[2];
    final float take2 = c[3];
    final float minusLr = c[4];
    final float decay = c[5];
    final float[] m = state[0];
    for (int i = 0; i < n; i++) {
      float kept = keep1 * m[i];
      float taken = take1 * g[i];
      p[i] = fma(minusLr, sign(kept + taken), p[i] * decay);
      m[i] = movingAverage(m[i], g[i], keep2, take2);
    }
  }
}
