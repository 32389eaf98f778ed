package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.power;
import static org.fettle.Arithmetic.root;

import org.fettle.Rule.StepContext;

/**
 * What Adam and AdamW share: coefficients and the update behind the decay. Twin of {@code
 * rules/adam.h}.
 */
final class AdamArithmetic {
  private AdamArithmetic() {}

  /** beta1, 1 - beta1, beta2, 1 - beta2, -lr sqrt(c2) / c1, eps sqrt(c2), decay. */
  static void coefficients(
      StepContext step, double beta1, double beta2, double eps, double decay, float[] c) {
    double correction1 = 1.0 - power(beta1, step.step());
    double rootCorrection2 = Math.sqrt(1.0 - power(beta2, step.step()));
    c[0] = (float) beta1;
    c[1] = (float) (1.0 - beta1);
    c[2] = (float) beta2;
    c[3] = (float) (1.0 - beta2);
    c[4] = (float) -(step.lr() * rootCorrection2 / correction1);
    c[5] = (float) (eps * rootCorrection2);
    c[6] = (float) decay;
  }

  static void update(float[] c, int n, float[] p, float[] g, float[][] state, boolean amsgrad) {
    final float beta1 = c[0];
    final float oneMinusBeta1 = c[1];
    final float beta2 = c[2];
    final float oneMinusBeta2 = c[3];
    final float minusStepSize = c[4];
    final float scaledEps = c[5];
    final float[] m = state[0];
    final float[] v = state[1];
    for (int i = 0; i < n; i++) {
      m[i] = movingAverage(m[i], g[i], beta1, oneMinusBeta1);
      v[i] = movingAverage(v[i], g[i] * g[i], beta2, oneMinusBeta2);
    }
    float[] second = v;
    if (amsgrad) {
      second = state[2];
      for (int i = 0; i < n; i++) {
        second[i] = larger(second[i], v[i]);
      }
    }
    for (int i = 0; i < n; i++) {
      p[i] = fma(minusStepSize, m[i] / (root(second[i]) + scaledEps), p[i]);
    }
  }
}
