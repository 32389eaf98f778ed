package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * LAWN on Adam: after a free phase the tensor keeps its norm.
 *
 * <pre>
 * t &lt;= freeSteps: Adam without decay
 * later: K = |p| at the first such step, kept for ever ;  lr * min(1, (t - freeSteps) / warmupSteps)
 *   g = g - p * &lt;p,g&gt; / &lt;p,p&gt; ;  m, v from that g ;  d = (m / c1) / (sqrt(v) / sqrt(c2) + eps)
 *   projectUpdate: d = d - p * &lt;p,d&gt; / &lt;p,p&gt;
 *   p = p - lr * d ;  p = p * K / |p|
 * </pre>
 *
 * <p>States: {@code m}, {@code v}; scalar {@code c}, K, 0 in the free phase. Four passes in the
 * constrained phase. A zero tensor cannot be constrained: it becomes NaN. Source: arXiv:2108.05839,
 * abstract only; the details are ours.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param freeSteps F, steps without the constraint, at least 0; default 0
 * @param warmupSteps W, steps in which lr grows anew, 0 for none; default 0
 * @param projectUpdate whether the update is projected too; default false
 */
@Method(
    names = {"lawn-adam"},
    formula = "Adam on g - p <p,g>/<p,p>; p *= K/|p| with the norm K at the switch",
    source = "arXiv:2108.05839 (abstract); details ours")
public record Lawn(
    double lr,
    double beta1,
    double beta2,
    double eps,
    long freeSteps,
    long warmupSteps,
    boolean projectUpdate)
    implements Rule {
  /** Checks the hyperparameters. */
  public Lawn {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.check("freeSteps", freeSteps, freeSteps >= 0, ">= 0");
    Range.check("warmupSteps", warmupSteps, warmupSteps >= 0, ">= 0");
  }

  /** The defaults. */
  public Lawn() {
    this(1e-3, 0.9, 0.999, 1e-8, 0, 0, false);
  }

  /** Makes the rule from named options. */
  public static Lawn fromHyper(String method, Hyper hyper) {
    return new Lawn(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        (long) hyper.number("free_steps", 0),
        (long) hyper.number("warmup_steps", 0),
        hyper.flag("project_update", false));
  }

  /** This, with another lr. */
  public Lawn withLr(double newLr) {
    return new Lawn(newLr, beta1, beta2, eps, freeSteps, warmupSteps, projectUpdate);
  }

  /** This, with another beta1. */
  public Lawn withBeta1(double newBeta1) {
    return new Lawn(lr, newBeta1, beta2, eps, freeSteps, warmupSteps, projectUpdate);
  }

  /** This, with another beta2. */
  public Lawn withBeta2(double newBeta2) {
    return new Lawn(lr, beta1, newBeta2, eps, freeSteps, warmupSteps, projectUpdate);
  }

  /** This, with another eps. */
  public Lawn withEps(double newEps) {
    return new Lawn(lr, beta1, beta2, newEps, freeSteps, warmupSteps, projectUpdate);
  }

  /** This, with another freeSteps. */
  public Lawn withFreeSteps(long newFreeSteps) {
    return new Lawn(lr, beta1, beta2, eps, newFreeSteps, warmupSteps, projectUpdate);
  }

  /** This, with another warmupSteps. */
  public Lawn withWarmupSteps(long newWarmupSteps) {
    return new Lawn(lr, beta1, beta2, eps, freeSteps, newWarmupSteps, projectUpdate);
  }

  /** This, with another projectUpdate. */
  public Lawn withProjectUpdate(boolean newProjectUpdate) {
    return new Lawn(lr, beta1, beta2, eps, freeSteps, warmupSteps, newProjectUpdate);
  }

  @Override
  public String id() {
    return "lawn";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 1;
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr, beta1, beta2, eps, (double) freeSteps, (double) warmupSteps, projectUpdate ? 1 : 0
    };
  }

  @Override
  public List<String> scalars() {
    return List.of("c");
  }

  @Override
  public int gathers() {
    return 3;
  }

  @Override
  public int sums() {
    return 2;
  }

  private boolean constrains(StepContext step) {
    return step.step() > freeSteps;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    double rate = step.lr();
    if (constrains(step) && warmupSteps > 0) {
      double grown = (double) (step.step() - freeSteps) / (double) warmupSteps;
      rate = rate * (grown < 1.0 ? grown : 1.0);
    }
    Moments.coefficients(beta1, beta2, c);
    c[4] = 0f;
    c[5] = 0f;
    c[6] = 1f;
    c[7] = (float) -(rate * root / Moments.correction(beta1, step.step()));
    c[8] = (float) (eps * root);
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    System.arraycopy(p, 0, a[1], 0, n);
    System.arraycopy(p, 0, b[1], 0, n);
    for (int i = 0; i < n; i++) {
      switch (k) {
        case 0 -> {
          a[0][i] = p[i];
          b[0][i] = g[i];
        }
        case 1 -> {
          a[0][i] = p[i];
          b[0][i] = fresh(c, p[i], g[i], state, i);
        }
        default -> {
          a[0][i] = moved(c, p[i], fresh(c, p[i], g[i], state, i));
          b[0][i] = a[0][i];
        }
      }
    }
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    if (!constrains(step)) {
      return;
    }
    switch (k) {
      case 0 -> {
        if (step.scalar(0) == 0.0) {
          step.scalar(0, Math.sqrt(sums[1]));
        }
        c[4] = (float) (sums[0] / sums[1]);
      }
      case 1 -> {
        if (projectUpdate) {
          c[5] = (float) (sums[0] / sums[1]);
        }
      }
      default -> c[6] = (float) (step.scalar(0) / Math.sqrt(sums[0]));
    }
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] m = state[0];
    final float[] v = state[1];
    for (int i = 0; i < n; i++) {
      float projected = fma(-c[4], p[i], g[i]);
      m[i] = movingAverage(m[i], projected, c[0], c[1]);
      v[i] = movingAverage(v[i], projected * projected, c[2], c[3]);
      p[i] = moved(c, p[i], m[i] / (root(v[i]) + c[8])) * c[6];
    }
  }

  /** The quotient of the new moments, which are not kept here. */
  private static float fresh(float[] c, float p, float g, float[][] state, int i) {
    float projected = fma(-c[4], p, g);
    float m = movingAverage(state[0][i], projected, c[0], c[1]);
    float v = movingAverage(state[1][i], projected * projected, c[2], c[3]);
    return m / (root(v) + c[8]);
  }

  private static float moved(float[] c, float p, float quotient) {
    float d = fma(-c[5], p, quotient);
    return fma(c[7], d, p);
  }
}
