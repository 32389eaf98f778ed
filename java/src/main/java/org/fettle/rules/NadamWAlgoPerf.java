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
 * NadamW as AlgoPerf has it: Adam with a look-ahead moment.
 *
 * <pre>
 * p = p * (1 - lr * wd)
 * m = ema(m, g, beta1) ;  v = ema(v, g * g, beta2)
 * q = beta1 * m + (1 - beta1) * g                    kept nowhere
 * p = p - (lr / c1) * q / (sqrt(v) / sqrt(c2) + eps)
 * </pre>
 *
 * <p>States: {@code m}, {@code v}. Source: mlcommons/algorithmic-efficiency; arXiv:1910.05446,
 * Table 1.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the corrected root, finite and at least 0; default 1e-8
 * @param weightDecay scales the parameter by 1 - lr * weightDecay, finite and at least 0; default
 *     1e-2
 */
@Method(
    names = {"nadamw-algoperf"},
    formula = "q = beta1 m + (1 - beta1) g; p -= lr/c1 q / (sqrt(v)/sqrt(c2) + eps)",
    source = "mlcommons/algorithmic-efficiency")
public record NadamWAlgoPerf(double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Rule {
  /** Checks the hyperparameters. */
  public NadamWAlgoPerf {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public NadamWAlgoPerf() {
    this(1e-3, 0.9, 0.999, 1e-8, 1e-2);
  }

  /** Makes the rule from named options. */
  public static NadamWAlgoPerf fromHyper(String method, Hyper hyper) {
    return new NadamWAlgoPerf(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 1e-2));
  }

  /** This, with another lr. */
  public NadamWAlgoPerf withLr(double newLr) {
    return new NadamWAlgoPerf(newLr, beta1, beta2, eps, weightDecay);
  }

  /** This, with another beta1. */
  public NadamWAlgoPerf withBeta1(double newBeta1) {
    return new NadamWAlgoPerf(lr, newBeta1, beta2, eps, weightDecay);
  }

  /** This, with another beta2. */
  public NadamWAlgoPerf withBeta2(double newBeta2) {
    return new NadamWAlgoPerf(lr, beta1, newBeta2, eps, weightDecay);
  }

  /** This, with another eps. */
  public NadamWAlgoPerf withEps(double newEps) {
    return new NadamWAlgoPerf(lr, beta1, beta2, newEps, weightDecay);
  }

  /** This, with another weightDecay. */
  public NadamWAlgoPerf withWeightDecay(double newWeightDecay) {
    return new NadamWAlgoPerf(lr, beta1, beta2, eps, newWeightDecay);
  }

  @Override
  public String id() {
    return "nadamw_algoperf";
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
    return new double[] {lr, beta1, beta2, eps, weightDecay};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) -(step.lr() * root / Moments.correction(beta1, step.step()));
    c[5] = (float) (eps * root);
    c[6] = (float) (1.0 - step.lr() * weightDecay);
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep = c[0];
    final float take = c[1];
    final float minusStepSize = c[4];
    final float scaledEps = c[5];
    final float decay = c[6];
    final float[] m = state[0];
    final float[] v = state[1];
    Moments.update(c, n, m, v, g);
    for (int i = 0; i < n; i++) {
      float ahead = movingAverage(m[i], g[i], keep, take);
      p[i] = fma(minusStepSize, ahead / (root(v[i]) + scaledEps), p[i] * decay);
    }
  }
}
