package org.fettle.rules;

import static org.fettle.Arithmetic.clamp;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;
import static org.fettle.Arithmetic.liftOf;
import static org.fettle.Arithmetic.root;
import static org.fettle.Arithmetic.sign;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * Lion-K: Lion with the gradient of another convex function K in place of the sign.
 *
 * <pre>
 * u = beta1 * m + (1 - beta1) * g ;  p = p * (1 - lr * wd) - lr * gradK(u) ;  m = beta2 * m + (1 - beta2) * g
 * </pre>
 *
 * <p>State: {@code m}. {@link Kappa#L2} and {@link Kappa#GROUP_L2} take two passes, the others one.
 * Source: arXiv:2310.05898 (the recursion; the list of K is ours).
 *
 * @param lr learning rate, finite and at least 0; default 1e-4
 * @param beta1 of the direction, in [0, 1); default 0.9
 * @param beta2 of the state, in [0, 1); default 0.99
 * @param weightDecay scales the parameter, finite and at least 0; default 0
 * @param kappa which function K
 * @param e its constant: more than 0 for huber and relativistic, at least 0 for deadzone, ignored
 *     by l2
 */
@Method(
    names = {"lion-kappa"},
    formula = "u = beta1 m + (1 - beta1) g; p -= lr (gradK(u) + wd p); m = ema(m, g, beta2)",
    source = "arXiv:2310.05898")
public record LionKappa(
    double lr, double beta1, double beta2, double weightDecay, Kappa kappa, double e)
    implements Rule {
  /** The convex function K. */
  public enum Kappa {
    /** clamp(u / e, -1, 1). */
    HUBER,
    /** u / sqrt(u^2 + e^2). */
    RELATIVISTIC,
    /** sign(u) where |u| &gt; e, else 0. */
    DEADZONE,
    /** u over the Euclidean norm of the tensor's u; 0 where that is 0. */
    L2,
    /** u over the Euclidean norm of its row; 0 where that is 0. */
    GROUP_L2
  }

  /** Checks the hyperparameters. */
  public LionKappa {
    Objects.requireNonNull(kappa, "kappa");
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("weightDecay", weightDecay);
    if (kappa == Kappa.HUBER || kappa == Kappa.RELATIVISTIC) {
      Range.positive("e", e);
    } else {
      Range.nonNegative("e", e);
    }
  }

  /** The defaults: huber with e = 0.05. */
  public LionKappa() {
    this(1e-4, 0.9, 0.99, 0, Kappa.HUBER, 0.05);
  }

  /** Makes the rule from named options. */
  public static LionKappa fromHyper(String method, Hyper hyper) {
    String word = hyper.word("kappa");
    Kappa kappa;
    try {
      kappa = Kappa.valueOf(word.toUpperCase(Locale.ROOT).replace('-', '_'));
    } catch (IllegalArgumentException unknown) {
      throw new IllegalArgumentException(
          "kappa is " + word + ": expected one of " + List.of(Kappa.values()), unknown);
    }
    return new LionKappa(
        hyper.number("lr", 1e-4),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.99),
        hyper.number("weight_decay", 0),
        kappa,
        hyper.number("e", 0));
  }

  /** This, with another lr. */
  public LionKappa withLr(double newLr) {
    return new LionKappa(newLr, beta1, beta2, weightDecay, kappa, e);
  }

  /** This, with another beta1. */
  public LionKappa withBeta1(double newBeta1) {
    return new LionKappa(lr, newBeta1, beta2, weightDecay, kappa, e);
  }

  /** This, with another beta2. */
  public LionKappa withBeta2(double newBeta2) {
    return new LionKappa(lr, beta1, newBeta2, weightDecay, kappa, e);
  }

  /** This, with another weightDecay. */
  public LionKappa withWeightDecay(double newWeightDecay) {
    return new LionKappa(lr, beta1, beta2, newWeightDecay, kappa, e);
  }

  /** This, with another function and its constant. */
  public LionKappa withKappa(Kappa newKappa, double newE) {
    return new LionKappa(lr, beta1, beta2, weightDecay, newKappa, newE);
  }

  /** This, with another constant. */
  public LionKappa withE(double newE) {
    return new LionKappa(lr, beta1, beta2, weightDecay, kappa, newE);
  }

  @Override
  public String id() {
    return "lion_" + kappa.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public List<String> states() {
    return List.of("m");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, weightDecay, e};
  }

  @Override
  public int gathers() {
    return kappa == Kappa.L2 || kappa == Kappa.GROUP_L2 ? 1 : 0;
  }

  @Override
  public int sums() {
    return gathers();
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) -step.lr();
    c[5] = (float) (1.0 - step.lr() * weightDecay);
    c[6] = (float) e;
    c[7] = 1f;
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      a[0][i] = blend(c, state[0][i], g[i]);
      b[0][i] = a[0][i];
    }
  }

  @Override
  public boolean rowwise() {
    return kappa == Kappa.GROUP_L2;
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    if (kappa == Kappa.L2) {
      c[4] = stepOf(step, sums[0]);
      c[7] = (float) liftOf(Math.sqrt(sums[0]));
    }
  }

  @Override
  public void row(int k, StepContext step, float[] c, double[] sums, double[] state, float[] row) {
    row[0] = stepOf(step, sums[0]);
    row[1] = (float) liftOf(Math.sqrt(sums[0]));
  }

  @Override
  public void enter(float[] row, float[] c) {
    c[4] = row[0];
    c[7] = row[1];
  }

  private static float stepOf(StepContext step, double square) {
    double norm = Math.sqrt(square);
    return square == 0.0 ? 0f : (float) -(step.lr() / (norm * liftOf(norm)));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float[] m = state[0];
    for (int i = 0; i < n; i++) {
      p[i] = fma(c[4], direction(c, blend(c, m[i], g[i])), p[i] * c[5]);
    }
    Moments.average(m, g, c[2], c[3], n);
  }

  private float direction(float[] c, float u) {
    return switch (kappa) {
      case HUBER -> clamp(u / c[6], 1f);
      case RELATIVISTIC -> relativistic(u, c[6]);
      case DEADZONE -> Math.abs(u) <= c[6] ? 0f : sign(u);
      case L2, GROUP_L2 -> u * c[7];
    };
  }

  /** The square of what is very large or very small is no float: a power of two moves both. */
  private static float relativistic(float all, float allE) {
    float size = larger(Math.abs(all), allE);
    float scale = size > 0x1p60f ? 0x1p-64f : (size < 0x1p-60f ? 0x1p64f : 1f);
    float u = all * scale;
    float e = allE * scale;
    return u / root(fma(u, u, e * e));
  }

  private static float blend(float[] c, float m, float g) {
    float kept = c[0] * m;
    float taken = c[1] * g;
    return kept + taken;
  }
}
