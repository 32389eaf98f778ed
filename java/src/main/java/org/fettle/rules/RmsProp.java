package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * RMSProp, plain, centered, with momentum, or both.
 *
 * <pre>
 * g = g + wd * p ;  v = alpha * v + (1 - alpha) * g * g
 * centered: a = alpha * a + (1 - alpha) * g ;  w = max(v - a * a, 0)     else w = v
 * d = g / (sqrt(w) + eps)
 * momentum: b = momentum * b + d ;  p = p - lr * b                      else p = p - lr * d
 * </pre>
 *
 * <p>No bias correction. States: {@code v}, centered {@code grad_avg}, with momentum {@code
 * momentum}. Source: torch.optim.RMSprop; the clamp of w is ours: rounding makes it negative under
 * a steady gradient, and PyTorch then yields NaN.
 *
 * @param lr learning rate, finite and at least 0; default 1e-2
 * @param alpha in [0, 1); default 0.99
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay enters the gradient, finite and at least 0; default 0
 * @param momentum in [0, 1); default 0
 * @param centered whether the squared mean is taken off the mean square; default false
 */
@Method(
    names = {"rmsprop"},
    formula =
        "v = ema(v, g g, alpha); w = centered ? max(v - a a, 0) : v; b = momentum b + g / (sqrt(w) + eps); p -= lr b",
    source = "torch.optim.RMSprop",
    differs =
        "the centered variance is clamped at 0, where PyTorch gives NaN; eps outside the root, where TensorFlow puts it inside")
public record RmsProp(
    double lr, double alpha, double eps, double weightDecay, double momentum, boolean centered)
    implements Rule {
  /** Checks the hyperparameters. */
  public RmsProp {
    Range.nonNegative("lr", lr);
    Range.fraction("alpha", alpha);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.fraction("momentum", momentum);
  }

  /** The defaults. */
  public RmsProp() {
    this(1e-2, 0.99, 1e-8, 0, 0, false);
  }

  /** Makes the rule from named options. */
  public static RmsProp fromHyper(String method, Hyper hyper) {
    return new RmsProp(
        hyper.number("lr", 1e-2),
        hyper.number("alpha", 0.99),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("momentum", 0),
        hyper.flag("centered", false));
  }

  /** This, with another lr. */
  public RmsProp withLr(double newLr) {
    return new RmsProp(newLr, alpha, eps, weightDecay, momentum, centered);
  }

  /** This, with another alpha. */
  public RmsProp withAlpha(double newAlpha) {
    return new RmsProp(lr, newAlpha, eps, weightDecay, momentum, centered);
  }

  /** This, with another eps. */
  public RmsProp withEps(double newEps) {
    return new RmsProp(lr, alpha, newEps, weightDecay, momentum, centered);
  }

  /** This, with another weightDecay. */
  public RmsProp withWeightDecay(double newWeightDecay) {
    return new RmsProp(lr, alpha, eps, newWeightDecay, momentum, centered);
  }

  /** This, with another momentum. */
  public RmsProp withMomentum(double newMomentum) {
    return new RmsProp(lr, alpha, eps, weightDecay, newMomentum, centered);
  }

  /** This, with another centered. */
  public RmsProp withCentered(boolean newCentered) {
    return new RmsProp(lr, alpha, eps, weightDecay, momentum, newCentered);
  }

  @Override
  public String id() {
    return "rmsprop" + (centered ? "_centered" : "") + (momentum > 0 ? "_momentum" : "");
  }

  @Override
  public List<String> states() {
    List<String> names = new ArrayList<>();
    names.add("v");
    if (centered) {
      names.add("grad_avg");
    }
    if (momentum > 0) {
      names.add("momentum");
    }
    return names;
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 0;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, alpha, eps, weightDecay, momentum};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = (float) weightDecay;
    c[1] = (float) alpha;
    c[2] = (float) (1.0 - alpha);
    c[3] = (float) eps;
    c[4] = (float) momentum;
    c[5] = (float) -step.lr();
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep = c[1];
    final float take = c[2];
    final float addend = c[3];
    final float momentumKeep = c[4];
    final float minusLr = c[5];
    final float[] v = state[0];
    addCoupledDecay(g, p, c[0], n);
    for (int i = 0; i < n; i++) {
      v[i] = movingAverage(v[i], g[i] * g[i], keep, take);
    }
    if (centered) {
      final float[] a = state[1];
      for (int i = 0; i < n; i++) {
        a[i] = movingAverage(a[i], g[i], keep, take);
        g[i] = g[i] / (root(larger(fma(-a[i], a[i], v[i]), 0f)) + addend);
      }
    } else {
      for (int i = 0; i < n; i++) {
        g[i] = g[i] / (root(v[i]) + addend);
      }
    }
    float[] direction = g;
    if (momentum > 0) {
      direction = state[centered ? 2 : 1];
      for (int i = 0; i < n; i++) {
        direction[i] = fma(momentumKeep, direction[i], g[i]);
      }
    }
    for (int i = 0; i < n; i++) {
      p[i] = fma(minusLr, direction[i], p[i]);
    }
  }
}
