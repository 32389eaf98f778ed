package org.fettle.rules;

import static org.fettle.Arithmetic.fma;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Delayed Nesterov: the outer step of asynchronous local SGD. A gradient is a pseudo-gradient that
 * arrives from a worker: the parameters that it started from less those that it ended with.
 *
 * <pre>
 * D = D + g / N
 * every N-th arrival: m = beta * m + D ;  p = p - lr * ((1 - c * N + c) * beta * m + g / N) ;  D = 0
 * otherwise:          p = p - lr * (c * beta * m + g / N)
 * </pre>
 *
 * <p>N = 1 is plain Nesterov. Every arrival is divided by N, so lr is about N times that of a
 * synchronous step. States: {@code momentum} m, {@code buffer} D. Source: arXiv:2401.09135;
 * utnslab/halos.
 *
 * @param lr learning rate, finite and at least 0; default 0.7
 * @param beta momentum, in [0, 1); default 0.9
 * @param arrivals N, at least 1; default 1
 * @param share c, the part of the momentum's step that every arrival takes, in [0, 1 / N]; default
 *     0
 */
@Method(
    names = {"delayed_nesterov"},
    formula =
        "D += g/N; every N: m = beta m + D, p -= lr ((1-cN+c) beta m + g/N), D = 0; else p -= lr (c beta m + g/N)",
    source = "arXiv:2401.09135; utnslab/halos")
public record DelayedNesterov(double lr, double beta, long arrivals, double share) implements Rule {
  /** Checks the hyperparameters. */
  public DelayedNesterov {
    Range.nonNegative("lr", lr);
    Range.fraction("beta", beta);
    Range.check("arrivals", arrivals, arrivals >= 1, ">= 1");
    Range.check(
        "share", share, share >= 0 && share * arrivals <= 1 + 1e-12, "in [0, 1 / arrivals]");
  }

  /** The defaults. */
  public DelayedNesterov() {
    this(0.7, 0.9, 1, 0);
  }

  /** Makes the rule from named options. */
  public static DelayedNesterov fromHyper(String method, Hyper hyper) {
    return new DelayedNesterov(
        hyper.number("lr", 0.7),
        hyper.number("beta", 0.9),
        (long) hyper.number("N", 1),
        hyper.number("c", 0));
  }

  /** This, with another lr. */
  public DelayedNesterov withLr(double newLr) {
    return new DelayedNesterov(newLr, beta, arrivals, share);
  }

  /** This, with another beta. */
  public DelayedNesterov withBeta(double newBeta) {
    return new DelayedNesterov(lr, newBeta, arrivals, share);
  }

  /** This, with another arrivals. */
  public DelayedNesterov withArrivals(long newArrivals) {
    return new DelayedNesterov(lr, beta, newArrivals, share);
  }

  /** This, with another share. */
  public DelayedNesterov withShare(double newShare) {
    return new DelayedNesterov(lr, beta, arrivals, newShare);
  }

  @Override
  public String id() {
    return "delayed_nesterov";
  }

  @Override
  public List<String> states() {
    return List.of("momentum", "buffer");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta, arrivals, share};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    boolean milestone = step.step() % arrivals == 0;
    double momentumShare = milestone ? 1.0 - share * arrivals + share : share;
    c[0] = (float) beta;
    c[1] = (float) (1.0 / arrivals);
    c[2] = (float) (momentumShare * beta);
    c[3] = (float) -step.lr();
    c[4] = milestone ? 1f : 0f;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final boolean milestone = c[4] > 0f;
    final float[] m = state[0];
    final float[] buffer = state[1];
    for (int i = 0; i < n; i++) {
      float part = c[1] * g[i];
      float sum = buffer[i] + part;
      m[i] = milestone ? fma(c[0], m[i], sum) : m[i];
      buffer[i] = milestone ? 0f : sum;
      p[i] = fma(c[3], fma(c[2], m[i], part), p[i]);
    }
  }
}
