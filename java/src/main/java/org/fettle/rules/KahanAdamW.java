package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.power;
import static org.fettle.Arithmetic.root;
import static org.fettle.Arithmetic.toBf16;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdamW on bf16 parameters with Kahan's compensation: what the parameter cannot hold is a state.
 *
 * <pre>
 * h = (beta^t - beta) / (beta^t - 1) in place of bias corrections
 * p = p * (1 - lr * wd) ;  m = m + (1 - h1) * (g - m) ;  v = h2 * v + (1 - h2) * g * g
 * k = k - lr * m / (sqrt(v) + eps) ;  p' = bf16(p + k) ;  k = k + (p - p')
 * </pre>
 *
 * <p>The literal form rounds to bf16 after every operation, as the source does; the fused form
 * computes p + k, m and v in f32 and rounds each once, which follows the f32 run more closely. The
 * parameter may be F32 or BF16 and the states of any format that holds bf16 values. States: {@code
 * m}, {@code v}, {@code kahan}. Source: repository warner-benjamin/optimi.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.99
 * @param eps outside the root, finite and at least 0; default 1e-6
 * @param weightDecay finite and at least 0; default 1e-2
 * @param literal whether every operation rounds to bf16; default false
 */
@Method(
    names = {"kahan-bf16-adamw"},
    formula =
        "p *= 1 - lr wd; m += (1 - h1)(g - m); v = h2 v + (1 - h2) g g; k -= lr m / (sqrt(v) + eps); p' = bf16(p + k); k += p - p'",
    source = "warner-benjamin/optimi",
    differs = "the fused form, the default, rounds m, v, k and p once each")
public record KahanAdamW(
    double lr, double beta1, double beta2, double eps, double weightDecay, boolean literal)
    implements Rule {
  /** Checks the hyperparameters. */
  public KahanAdamW {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public KahanAdamW() {
    this(1e-3, 0.9, 0.99, 1e-6, 1e-2, false);
  }

  /** Makes the rule from named options: the literal form. */
  public static KahanAdamW fromHyper(String method, Hyper hyper) {
    return new KahanAdamW(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.99),
        hyper.number("eps", 1e-6),
        hyper.number("weight_decay", 1e-2),
        true);
  }

  /** This, with another lr. */
  public KahanAdamW withLr(double newLr) {
    return new KahanAdamW(newLr, beta1, beta2, eps, weightDecay, literal);
  }

  /** This, with another beta1. */
  public KahanAdamW withBeta1(double newBeta1) {
    return new KahanAdamW(lr, newBeta1, beta2, eps, weightDecay, literal);
  }

  /** This, with another beta2. */
  public KahanAdamW withBeta2(double newBeta2) {
    return new KahanAdamW(lr, beta1, newBeta2, eps, weightDecay, literal);
  }

  /** This, with another eps. */
  public KahanAdamW withEps(double newEps) {
    return new KahanAdamW(lr, beta1, beta2, newEps, weightDecay, literal);
  }

  /** This, with another weightDecay. */
  public KahanAdamW withWeightDecay(double newWeightDecay) {
    return new KahanAdamW(lr, beta1, beta2, eps, newWeightDecay, literal);
  }

  /** This, in the literal or the fused form. */
  public KahanAdamW withLiteral(boolean newLiteral) {
    return new KahanAdamW(lr, beta1, beta2, eps, weightDecay, newLiteral);
  }

  @Override
  public String id() {
    return literal ? "kahan_adamw_literal" : "kahan_adamw";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v", "kahan");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 1;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay};
  }

  private static double debiased(double beta, long step) {
    double raised = power(beta, step);
    return (raised - beta) / (raised - 1.0);
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double h1 = debiased(beta1, step.step());
    double h2 = debiased(beta2, step.step());
    c[0] = (float) (1.0 - h1);
    c[1] = (float) h2;
    c[2] = (float) (1.0 - h2);
    c[3] = (float) -step.lr();
    c[4] = (float) eps;
    c[5] = (float) (1.0 - step.lr() * weightDecay);
  }

  private float rounded(float x) {
    return literal ? toBf16(x) : x;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    float[] first = state[0];
    float[] second = state[1];
    float[] kahan = state[2];
    for (int i = 0; i < n; i++) {
      float old = literal ? rounded(p[i] * c[5]) : (p[i] + kahan[i]) * c[5];
      float m = rounded(fma(c[0], g[i] - first[i], first[i]));
      float v = rounded(fma(c[2] * g[i], g[i], rounded(second[i] * c[1])));
      float denominator = rounded(rounded(root(v)) + c[4]);
      first[i] = toBf16(m);
      second[i] = toBf16(v);
      if (literal) {
        float k = rounded(fma(c[3], m / denominator, kahan[i]));
        p[i] = toBf16(old + k);
        kahan[i] = toBf16(k + toBf16(old - p[i]));
      } else {
        float next = fma(c[3], m / denominator, old);
        p[i] = toBf16(next);
        kahan[i] = toBf16(next - p[i]);
      }
    }
  }
}
