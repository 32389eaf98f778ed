package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.sign;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Cautious Lion: only the elements move whose direction agrees with the gradient.
 *
 * <pre>
 * u = sign(beta1 * m + (1 - beta1) * g) ;  k = (u * g &gt; 0)
 * p = p * (1 - lr * wd) - lr * u * k * n / (sum(k) + 1)
 * m = ema(m, g, beta2)
 * </pre>
 *
 * <p>State: {@code m}. Two passes. The scale is the older formula n / (sum(k) + 1), as in the
 * authors' Lion. Source: arXiv:2411.16085; kyleliang919/C-Optim.
 *
 * @param lr learning rate, finite and at least 0; default 1e-4
 * @param beta1 in [0, 1); default 0.95
 * @param beta2 of the state, in [0, 1); default 0.98
 * @param weightDecay scales the parameter by 1 - lr * weightDecay, finite and at least 0; default 0
 */
@Method(
    names = {"cautious-lion"},
    formula = "u = sign(beta1 m + (1 - beta1) g); k = (u g > 0); p -= lr u k n / (sum(k) + 1)",
    source = "arXiv:2411.16085; kyleliang919/C-Optim")
public record CautiousLion(double lr, double beta1, double beta2, double weightDecay)
    implements Rule {
  /** Checks the hyperparameters. */
  public CautiousLion {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public CautiousLion() {
    this(1e-4, 0.95, 0.98, 0);
  }

  /** Makes the rule from named options. */
  public static Rule fromHyper(String method, Hyper hyper) {
    double lr = hyper.number("lr", 1e-4);
    double beta1 = hyper.number("beta1", 0.95);
    double beta2 = hyper.number("beta2", 0.98);
    double weightDecay = hyper.number("weight_decay", 0);
    return hyper.flag("cautious", true)
        ? new CautiousLion(lr, beta1, beta2, weightDecay)
        : new Lion(lr, beta1, beta2, weightDecay);
  }

  /** This, with another lr. */
  public CautiousLion withLr(double newLr) {
    return new CautiousLion(newLr, beta1, beta2, weightDecay);
  }

  /** This, with another beta1. */
  public CautiousLion withBeta1(double newBeta1) {
    return new CautiousLion(lr, newBeta1, beta2, weightDecay);
  }

  /** This, with another beta2. */
  public CautiousLion withBeta2(double newBeta2) {
    return new CautiousLion(lr, beta1, newBeta2, weightDecay);
  }

  /** This, with another weightDecay. */
  public CautiousLion withWeightDecay(double newWeightDecay) {
    return new CautiousLion(lr, beta1, beta2, newWeightDecay);
  }

  @Override
  public String id() {
    return "cautious_lion";
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
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 1;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    Moments.coefficients(beta1, beta2, c);
    c[4] = 0f;
    c[5] = (float) (1.0 - step.lr() * weightDecay);
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      a[0][i] = Agreement.of(direction(c, state[0][i], g[i]) * g[i]);
      b[0][i] = 1f;
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    c[4] = (float) -(step.lr() * ((double) step.elements() / (sums[0] + 1.0)));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] m = state[0];
    for (int i = 0; i < n; i++) {
      float u = direction(c, m[i], g[i]);
      p[i] = fma(c[4], u * Agreement.of(u * g[i]), p[i] * c[5]);
    }
    Moments.average(m, g, c[2], c[3], n);
  }

  private static float direction(float[] c, float m, float g) {
    float kept = c[0] * m;
    float taken = c[1] * g;
    return sign(kept + taken);
  }
}
