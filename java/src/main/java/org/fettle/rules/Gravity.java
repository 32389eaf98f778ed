package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Gravity: a moving average of gradients that are damped where they are large.
 *
 * <pre>
 * bt = (beta * t + 1) / (t + 2) ;  M = max over the tensor of |g| ;  z = g / (1 + (g * M)^2)
 * V = bt * V + (1 - bt) * z ;  p = p - lr * V
 * </pre>
 *
 * <p>V starts as normal draws with standard deviation alpha / lr. (g * M)^2 may overflow: z is then
 * 0, its limit. State: {@code v}; scalar {@code beta_t}, bt (information). Two passes. Source:
 * arXiv:2101.09192; dariush-bahrami/gravity.optimizer, PyTorch file.
 *
 * @param lr learning rate, finite and more than 0: the start divides by it; default 0.1
 * @param alpha finite and at least 0; default 0.01
 * @param beta in [0, 1); default 0.9
 */
@Method(
    names = {"gravity"},
    formula =
        "z = g / (1 + (g max|g|)^2); V = bt V + (1-bt) z, bt = (beta t + 1)/(t + 2); p -= lr V",
    source = "arXiv:2101.09192; dariush-bahrami/gravity.optimizer",
    differs =
        "t is 1 in the first step (the Keras file has 0); g M in place of g / m, equal but for a zero gradient")
public record Gravity(double lr, double alpha, double beta) implements Rule {
  /** Checks the hyperparameters. */
  public Gravity {
    Range.positive("lr", lr);
    Range.nonNegative("alpha", alpha);
    Range.fraction("beta", beta);
  }

  /** The defaults. */
  public Gravity() {
    this(0.1, 0.01, 0.9);
  }

  /** Makes the rule from named options. */
  public static Gravity fromHyper(String method, Hyper hyper) {
    return new Gravity(
        hyper.number("lr", 0.1), hyper.number("alpha", 0.01), hyper.number("beta", 0.9));
  }

  /** This, with another lr. */
  public Gravity withLr(double newLr) {
    return new Gravity(newLr, alpha, beta);
  }

  /** This, with another alpha. */
  public Gravity withAlpha(double newAlpha) {
    return new Gravity(lr, newAlpha, beta);
  }

  /** This, with another beta. */
  public Gravity withBeta(double newBeta) {
    return new Gravity(lr, alpha, newBeta);
  }

  @Override
  public String id() {
    return "gravity";
  }

  @Override
  public List<String> states() {
    return List.of("v");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, alpha, beta};
  }

  @Override
  public double initialDeviation(int index) {
    return alpha / lr;
  }

  @Override
  public boolean maximum() {
    return true;
  }

  @Override
  public List<String> scalars() {
    return List.of("beta_t");
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
    double t = (double) step.step();
    double rate = (beta * t + 1.0) / (t + 2.0);
    step.scalar(0, rate);
    c[0] = (float) rate;
    c[1] = (float) (1.0 - rate);
    c[2] = 0f;
    c[3] = (float) -step.lr();
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      a[0][i] = Math.abs(g[i]);
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    c[2] = (float) sums[0];
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] velocity = state[0];
    for (int i = 0; i < n; i++) {
      float scaled = g[i] * c[2];
      float damped = g[i] / fma(scaled, scaled, 1f);
      velocity[i] = movingAverage(velocity[i], damped, c[0], c[1]);
      p[i] = fma(c[3], velocity[i], p[i]);
    }
  }
}
