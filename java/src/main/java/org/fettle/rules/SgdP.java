package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * SGDP: momentum SGD that takes the component along the weight out of the update of scale-invariant
 * weights.
 *
 * <pre>
 * b = momentum * b + (1 - dampening) * g ;  d = g + momentum * b if nesterov, else b
 * project d as AdamP does
 * p = p * (1 - lr * wd * r / (1 - momentum)) ;  p = p - lr * d
 * </pre>
 *
 * <p>The dampening acts on the first gradient too. Without nesterov the author's d is the buffer
 * itself, so the stored b is the projected one; we keep that. State: {@code momentum}; scalar
 * {@code wd_factor}, r (information). Two passes. Source: arXiv:2006.08217; clovaai/AdamP.
 *
 * @param lr learning rate, finite and at least 0; default 1e-1
 * @param momentum in [0, 1); default 0
 * @param dampening in [0, 1]; default 0
 * @param eps in the norms, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param delta finite and at least 0; default 0.1
 * @param wdRatio r where the update is projected, finite and at least 0; default 0.1
 * @param nesterov whether the direction looks ahead; default false
 */
@Method(
    names = {"sgdp"},
    formula =
        "d = nesterov ? g + momentum b : b, projected as AdamP; p *= 1 - lr wd r/(1-momentum); p -= lr d",
    source = "arXiv:2006.08217; clovaai/AdamP")
public record SgdP(
    double lr,
    double momentum,
    double dampening,
    double eps,
    double weightDecay,
    double delta,
    double wdRatio,
    boolean nesterov)
    implements Rule {
  /** Checks the hyperparameters. */
  public SgdP {
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.check("dampening", dampening, dampening >= 0 && dampening <= 1, "in [0, 1]");
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("delta", delta);
    Range.nonNegative("wdRatio", wdRatio);
  }

  /** The defaults. */
  public SgdP() {
    this(1e-1, 0, 0, 1e-8, 0, 0.1, 0.1, false);
  }

  /** Makes the rule from named options. */
  public static SgdP fromHyper(String method, Hyper hyper) {
    return new SgdP(
        hyper.number("lr", 1e-1),
        hyper.number("momentum", 0),
        hyper.number("dampening", 0),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("delta", 0.1),
        hyper.number("wd_ratio", 0.1),
        hyper.flag("nesterov", false));
  }

  /** This, with another lr. */
  public SgdP withLr(double newLr) {
    return new SgdP(newLr, momentum, dampening, eps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another momentum. */
  public SgdP withMomentum(double newMomentum) {
    return new SgdP(lr, newMomentum, dampening, eps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another dampening. */
  public SgdP withDampening(double newDampening) {
    return new SgdP(lr, momentum, newDampening, eps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another eps. */
  public SgdP withEps(double newEps) {
    return new SgdP(lr, momentum, dampening, newEps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another weightDecay. */
  public SgdP withWeightDecay(double newWeightDecay) {
    return new SgdP(lr, momentum, dampening, eps, newWeightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another delta. */
  public SgdP withDelta(double newDelta) {
    return new SgdP(lr, momentum, dampening, eps, weightDecay, newDelta, wdRatio, nesterov);
  }

  /** This, with another wdRatio. */
  public SgdP withWdRatio(double newWdRatio) {
    return new SgdP(lr, momentum, dampening, eps, weightDecay, delta, newWdRatio, nesterov);
  }

  /** This, with another nesterov. */
  public SgdP withNesterov(boolean newNesterov) {
    return new SgdP(lr, momentum, dampening, eps, weightDecay, delta, wdRatio, newNesterov);
  }

  @Override
  public String id() {
    return "sgdp";
  }

  @Override
  public List<String> states() {
    return List.of("momentum");
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr, momentum, dampening, eps, weightDecay, delta, wdRatio, nesterov ? 1 : 0
    };
  }

  @Override
  public List<String> scalars() {
    return List.of("wd_factor");
  }

  @Override
  public boolean rowwise() {
    return true;
  }

  @Override
  public boolean splitsVectors() {
    return false;
  }

  @Override
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 4;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = 0f;
    c[1] = (float) momentum;
    c[2] = (float) (1.0 - dampening);
    c[3] = (float) -step.lr();
    c[4] = 1f;
    c[5] = 0f;
    c[6] = 0f;
    c[7] = nesterov ? 1f : 0f;
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      b[3][i] = direction(c, movingAverage(state[0][i], g[i], c[1], c[2]), g[i]);
    }
    Projection.terms(n, p, g, a, b);
  }

  @Override
  public double score(StepContext step, double[] sums) {
    return Projection.cosine(sums, eps);
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    int level = Projection.levelOf(step, sums, delta, eps);
    double ratio = level == 0 ? 1.0 : wdRatio;
    step.scalar(0, ratio);
    c[6] = level == 2 ? 1f : 0f;
    c[5] = level == 1 ? (float) Projection.share(sums, eps) : 0f;
    c[4] = (float) (1.0 - step.lr() * weightDecay * ratio / (1.0 - momentum));
  }

  @Override
  public void row(int k, StepContext step, float[] c, double[] sums, double[] state, float[] row) {
    row[0] = c[6] > 0f ? (float) Projection.share(sums, eps) : c[5];
  }

  @Override
  public void enter(float[] row, float[] c) {
    c[0] = row[0];
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] buffer = state[0];
    for (int i = 0; i < n; i++) {
      buffer[i] = movingAverage(buffer[i], g[i], c[1], c[2]);
      float d = fma(-c[0], p[i], direction(c, buffer[i], g[i]));
      if (!nesterov) {
        buffer[i] = d;
      }
      p[i] = fma(c[3], d, p[i] * c[4]);
    }
  }

  private static float direction(float[] c, float b, float g) {
    return c[7] > 0f ? fma(c[1], b, g) : b;
  }
}
