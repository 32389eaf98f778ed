package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * NovoGrad in the convention of the reference class: one second moment per tensor.
 *
 * <pre>
 * n = |g|^2 ;  V = n if V is 0, else beta2 * V + (1 - beta2) * n
 * g = g / (sqrt(V) + eps) + wd * p ;  g = (1 - beta1) * g if averaging
 * m = beta1 * m + g ;  p = p - lr * m
 * </pre>
 *
 * <p>State: {@code m}; scalar {@code v}, V. A zero gradient at V = 0 starts it anew. Two passes.
 * Source: arXiv:1905.11286; NVIDIA/apex (reference class).
 *
 * @param lr learning rate, finite and at least 0; default 1e-2
 * @param beta1 in [0, 1); default 0.95
 * @param beta2 in [0, 1); default 0.98
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay enters the normalised gradient, finite and at least 0; default 0
 * @param gradAveraging whether m takes (1 - beta1) of the gradient; default false
 */
@Method(
    names = {"novograd"},
    formula = "V = ema(V, |g|^2, beta2); m = beta1 m + g / (sqrt(V) + eps) + wd p; p -= lr m",
    source = "arXiv:1905.11286; NVIDIA/apex reference class",
    differs = "OpenSeq2Seq has eps inside the root")
public record NovoGrad(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean gradAveraging)
    implements Rule {
  /** Checks the hyperparameters. */
  public NovoGrad {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public NovoGrad() {
    this(1e-2, 0.95, 0.98, 1e-8, 0, false);
  }

  /** Makes the rule from named options. */
  public static NovoGrad fromHyper(String method, Hyper hyper) {
    return new NovoGrad(
        hyper.number("lr", 1e-2),
        hyper.number("beta1", 0.95),
        hyper.number("beta2", 0.98),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.flag("grad_averaging", false));
  }

  /** This, with another lr. */
  public NovoGrad withLr(double newLr) {
    return new NovoGrad(newLr, beta1, beta2, eps, weightDecay, gradAveraging);
  }

  /** This, with another beta1. */
  public NovoGrad withBeta1(double newBeta1) {
    return new NovoGrad(lr, newBeta1, beta2, eps, weightDecay, gradAveraging);
  }

  /** This, with another beta2. */
  public NovoGrad withBeta2(double newBeta2) {
    return new NovoGrad(lr, beta1, newBeta2, eps, weightDecay, gradAveraging);
  }

  /** This, with another eps. */
  public NovoGrad withEps(double newEps) {
    return new NovoGrad(lr, beta1, beta2, newEps, weightDecay, gradAveraging);
  }

  /** This, with another weightDecay. */
  public NovoGrad withWeightDecay(double newWeightDecay) {
    return new NovoGrad(lr, beta1, beta2, eps, newWeightDecay, gradAveraging);
  }

  /** This, with another gradAveraging. */
  public NovoGrad withGradAveraging(boolean newGradAveraging) {
    return new NovoGrad(lr, beta1, beta2, eps, weightDecay, newGradAveraging);
  }

  @Override
  public String id() {
    return "novograd";
  }

  @Override
  public List<String> states() {
    return List.of("m");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay, gradAveraging ? 1 : 0};
  }

  @Override
  public List<String> scalars() {
    return List.of("v");
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
    c[0] = (float) beta1;
    c[1] = 0f;
    c[2] = 0f;
    c[3] = (float) -step.lr();
    c[4] = 1f;
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    System.arraycopy(g, 0, a[0], 0, n);
    System.arraycopy(g, 0, b[0], 0, n);
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    double old = step.scalar(0);
    double second = old == 0.0 ? sums[0] : beta2 * old + (1.0 - beta2) * sums[0];
    double take = gradAveraging ? 1.0 - beta1 : 1.0;
    step.scalar(0, second);
    c[1] = (float) (take / (Math.sqrt(second) + eps));
    c[2] = (float) (take * weightDecay);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep = c[0];
    final float minusStepSize = c[3];
    final float decay = c[4];
    final float[] m = state[0];
    Moments.scale(g, c[1], n);
    addCoupledDecay(g, p, c[2], n);
    for (int i = 0; i < n; i++) {
      m[i] = fma(keep, m[i], g[i]);
      p[i] = fma(minusStepSize, m[i], p[i] * decay);
    }
  }
}
