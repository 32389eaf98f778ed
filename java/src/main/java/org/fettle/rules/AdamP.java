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
 * AdamP: Adam that takes the component along the weight out of the update of scale-invariant
 * weights.
 *
 * <pre>
 * m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2) ;  D = sqrt(v) / sqrt(c2) + eps
 * d = m / D, nesterov: (beta1 * m + (1 - beta1) * g) / D
 * two or more axes; try the rows, then the whole tensor as one row (K elements per row):
 *   cos = |&lt;g,p&gt;| / (max(|g|, eps) * max(|p|, eps)) of the row
 *   if the largest cos &lt; delta / sqrt(K): d = d - p * &lt;p,d&gt; / (|p| + eps)^2 per row ;  r = wdRatio ;  stop
 * p = p * (1 - lr * wd * r) ;  p = p - (lr / c1) * d
 * </pre>
 *
 * <p>The projection is all rows or none. A zero gradient has cosine 0 and fires it. States: {@code
 * m}, {@code v}; scalar {@code wd_factor}, r (information). Two passes. Source: arXiv:2006.08217;
 * clovaai/AdamP.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root and in the norms, finite and at least 0; default 1e-8
 * @param weightDecay scales the parameter by 1 - lr * weightDecay * r, finite and at least 0;
 *     default 0
 * @param delta finite and at least 0; default 0.1
 * @param wdRatio r where the update is projected, finite and at least 0; default 0.1
 * @param nesterov whether the direction looks ahead; default false
 */
@Method(
    names = {"adamp"},
    formula =
        "d = m / D; if max cos(g, p) < delta/sqrt(K): d -= p <p,d>/|p|^2; p -= lr (d/c1 + wd r p)",
    source = "arXiv:2006.08217; clovaai/AdamP")
public record AdamP(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double delta,
    double wdRatio,
    boolean nesterov)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdamP {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("delta", delta);
    Range.nonNegative("wdRatio", wdRatio);
  }

  /** The defaults. */
  public AdamP() {
    this(1e-3, 0.9, 0.999, 1e-8, 0, 0.1, 0.1, false);
  }

  /** Makes the rule from named options. */
  public static AdamP fromHyper(String method, Hyper hyper) {
    return new AdamP(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.number("delta", 0.1),
        hyper.number("wd_ratio", 0.1),
        hyper.flag("nesterov", false));
  }

  /** This, with another lr. */
  public AdamP withLr(double newLr) {
    return new AdamP(newLr, beta1, beta2, eps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another beta1. */
  public AdamP withBeta1(double newBeta1) {
    return new AdamP(lr, newBeta1, beta2, eps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another beta2. */
  public AdamP withBeta2(double newBeta2) {
    return new AdamP(lr, beta1, newBeta2, eps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another eps. */
  public AdamP withEps(double newEps) {
    return new AdamP(lr, beta1, beta2, newEps, weightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another weightDecay. */
  public AdamP withWeightDecay(double newWeightDecay) {
    return new AdamP(lr, beta1, beta2, eps, newWeightDecay, delta, wdRatio, nesterov);
  }

  /** This, with another delta. */
  public AdamP withDelta(double newDelta) {
    return new AdamP(lr, beta1, beta2, eps, weightDecay, newDelta, wdRatio, nesterov);
  }

  /** This, with another wdRatio. */
  public AdamP withWdRatio(double newWdRatio) {
    return new AdamP(lr, beta1, beta2, eps, weightDecay, delta, newWdRatio, nesterov);
  }

  /** This, with another nesterov. */
  public AdamP withNesterov(boolean newNesterov) {
    return new AdamP(lr, beta1, beta2, eps, weightDecay, delta, wdRatio, newNesterov);
  }

  @Override
  public String id() {
    return "adamp";
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
    return new double[] {lr, beta1, beta2, eps, weightDecay, delta, wdRatio, nesterov ? 1 : 0};
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
    double root = Moments.rootCorrection(beta2, step.step());
    c[0] = 0f;
    Moments.factors(beta1, beta2, c, 1);
    c[5] = (float) root;
    c[6] = (float) (eps * root);
    c[7] = (float) -(step.lr() / Moments.correction(beta1, step.step()));
    c[8] = 1f;
    c[9] = 0f;
    c[10] = 0f;
    c[11] = nesterov ? 1f : 0f;
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float m = movingAverage(state[0][i], g[i], c[1], c[2]);
      float v = movingAverage(state[1][i], g[i] * g[i], c[3], c[4]);
      b[3][i] = direction(c, m, v, g[i]);
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
    c[10] = level == 2 ? 1f : 0f;
    c[9] = level == 1 ? (float) Projection.share(sums, eps) : 0f;
    c[8] = (float) (1.0 - step.lr() * weightDecay * ratio);
  }

  @Override
  public void row(int k, StepContext step, float[] c, double[] sums, double[] state, float[] row) {
    row[0] = c[10] > 0f ? (float) Projection.share(sums, eps) : c[9];
  }

  @Override
  public void enter(float[] row, float[] c) {
    c[0] = row[0];
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] m = state[0];
    final float[] v = state[1];
    for (int i = 0; i < n; i++) {
      m[i] = movingAverage(m[i], g[i], c[1], c[2]);
      v[i] = movingAverage(v[i], g[i] * g[i], c[3], c[4]);
      float d = fma(-c[0], p[i], direction(c, m[i], v[i], g[i]));
      p[i] = fma(c[7], d, p[i] * c[8]);
    }
  }

  private static float direction(float[] c, float m, float v, float g) {
    float numerator = c[11] > 0f ? movingAverage(m, g, c[1], c[2]) : m;
    return c[5] * numerator / (root(v) + c[6]);
  }
}
