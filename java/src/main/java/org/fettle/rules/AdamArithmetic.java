package org.fettle.rules;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;
import static org.fettle.Arithmetic.root;

import org.fettle.Rule.StepContext;

/**
 * What Adam and AdamW share: coefficients and the update behind the decay. Twin of {@code
 * rules/adam.h}.
 */
final class AdamArithmetic {
  private AdamArithmetic() {}

  /** The moments' factors, -stepSize, eps, decay. */
  static void coefficients(
      double beta1, double beta2, double stepSize, double eps, double decay, float[] c) {
    Moments.coefficients(beta1, beta2, c);
    c[4] = (float) -stepSize;
    c[5] = (float) eps;
    c[6] = (float) decay;
  }

  /** With the corrections c1 and c2, both folded into the step size and eps. */
  static void corrected(
      StepContext step, double beta1, double beta2, double eps, double decay, float[] c) {
    double root = Moments.rootCorrection(beta2, step.step());
    double stepSize = step.lr() * root / Moments.correction(beta1, step.step());
    coefficients(beta1, beta2, stepSize, eps * root, decay, c);
  }

  static void update(float[] c, int n, float[] p, float[] g, float[][] state, boolean amsgrad) {
    final float minusStepSize = c[4];
    final float scaledEps = c[5];
    final float[] m = state[0];
    final float[] v = state[1];
    Moments.update(c, n, m, v, g);
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
