package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * LARS and LARC: momentum SGD on a gradient rescaled per tensor to the parameter's norm.
 *
 * <pre>
 * if |p| != 0 and |g| != 0:
 *   q = trust * |p| / (|g| + wd * |p| + eps) ;  LARC (clip): q = min(q / lr, 1)
 *   g = q * (g + wd * p)
 * b = momentum * b + g, first step b = g ;  p = p - lr * b
 * </pre>
 *
 * <p>If a norm is 0 the gradient is used as it is and the decay left out. State: {@code momentum},
 * none where momentum is 0. Two passes. Source: arXiv:1708.03888; NVIDIA/apex LARC over SGD.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param momentum in [0, 1); default 0.9
 * @param weightDecay enters the rescaled gradient, finite and at least 0; default 0
 * @param trustCoefficient finite and at least 0; default 0.02
 * @param eps in the denominator of the ratio, finite and at least 0; default 1e-8
 * @param clip whether the ratio is limited to lr (LARC); default true
 */
@Method(
    names = {"lars", "larc"},
    formula = "q = trust |p| / (|g| + wd |p| + eps), LARC min(q/lr, 1); SGD with q (g + wd p)",
    source = "arXiv:1708.03888; NVIDIA/apex LARC",
    differs = "the paper has q lr inside the momentum buffer; equal while lr is constant")
public record Lars(
    double lr,
    double momentum,
    double weightDecay,
    double trustCoefficient,
    double eps,
    boolean clip)
    implements Rule {
  /** Checks the hyperparameters. */
  public Lars {
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("trustCoefficient", trustCoefficient);
    Range.nonNegative("eps", eps);
    if (clip && lr == 0) {
      throw new IllegalArgumentException(
          "lr is 0.0 with clip: expected more than 0, the ratio is divided by it");
    }
  }

  /** The defaults. */
  public Lars() {
    this(1e-3, 0.9, 0, 0.02, 1e-8, true);
  }

  /** Makes the rule from named options. */
  public static Lars fromHyper(String method, Hyper hyper) {
    return new Lars(
        hyper.number("lr", 1e-3),
        hyper.number("momentum", 0.9),
        hyper.number("weight_decay", 0),
        hyper.number("trust_coefficient", 0.02),
        hyper.number("eps", 1e-8),
        hyper.flag("clip", method.equals("larc")));
  }

  /** This, with another lr. */
  public Lars withLr(double newLr) {
    return new Lars(newLr, momentum, weightDecay, trustCoefficient, eps, clip);
  }

  /** This, with another momentum. */
  public Lars withMomentum(double newMomentum) {
    return new Lars(lr, newMomentum, weightDecay, trustCoefficient, eps, clip);
  }

  /** This, with another weightDecay. */
  public Lars withWeightDecay(double newWeightDecay) {
    return new Lars(lr, momentum, newWeightDecay, trustCoefficient, eps, clip);
  }

  /** This, with another trustCoefficient. */
  public Lars withTrustCoefficient(double newTrustCoefficient) {
    return new Lars(lr, momentum, weightDecay, newTrustCoefficient, eps, clip);
  }

  /** This, with another eps. */
  public Lars withEps(double newEps) {
    return new Lars(lr, momentum, weightDecay, trustCoefficient, newEps, clip);
  }

  /** This, with another clip. */
  public Lars withClip(boolean newClip) {
    return new Lars(lr, momentum, weightDecay, trustCoefficient, eps, newClip);
  }

  @Override
  public String id() {
    return momentum > 0 ? "lars" : "lars_plain";
  }

  @Override
  public List<String> states() {
    return momentum > 0 ? List.of("momentum") : List.of();
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, momentum, weightDecay, trustCoefficient, eps, clip ? 1 : 0};
  }

  @Override
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 2;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = 1f;
    c[1] = 0f;
    c[2] = step.step() == 1 ? 0f : (float) momentum;
    c[3] = (float) -step.lr();
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      a[0][i] = p[i];
      b[0][i] = p[i];
      a[1][i] = g[i];
      b[1][i] = g[i];
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    if (sums[0] == 0.0 || sums[1] == 0.0) {
      return;
    }
    double parameterNorm = Math.sqrt(sums[0]);
    double q =
        trustCoefficient * parameterNorm / (Math.sqrt(sums[1]) + weightDecay * parameterNorm + eps);
    if (clip) {
      q = q / step.lr();
      q = q > 1.0 ? 1.0 : q;
    }
    c[0] = (float) q;
    c[1] = (float) (q * weightDecay);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float momentumKeep = c[2];
    final float minusLr = c[3];
    Moments.scale(g, c[0], n);
    addCoupledDecay(g, p, c[1], n);
    if (momentum == 0) {
      for (int i = 0; i < n; i++) {
        p[i] = fma(minusLr, g[i], p[i]);
      }
      return;
    }
    final float[] b = state[0];
    for (int i = 0; i < n; i++) {
      b[i] = fma(momentumKeep, b[i], g[i]);
      p[i] = fma(minusLr, b[i], p[i]);
    }
  }
}
