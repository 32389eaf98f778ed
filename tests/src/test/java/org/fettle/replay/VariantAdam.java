package org.fettle.replay;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Rule;

/** AdamW in plain float arithmetic, right and in ways that are easily got wrong. */
record VariantAdam(
    Variant variant, double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Rule {
  enum Variant {
    RIGHT,
    EPS_BEFORE_THE_ROOT_IS_CORRECTED,
    EPS_INSIDE_THE_ROOT,
    NO_CORRECTION_OF_M,
    NO_CORRECTION_OF_V,
    OLD_M,
    COUPLED_DECAY,
    COUNTER_ONE_BEHIND
  }

  static VariantAdam of(Hyper hyper, Variant variant) {
    return new VariantAdam(
        variant,
        hyper.number("lr"),
        hyper.number("beta1"),
        hyper.number("beta2"),
        hyper.number("eps"),
        hyper.number("weight_decay"));
  }

  @Override
  public String id() {
    return "variant_adam";
  }

  @Override
  public List<String> states() {
    return List.of("m", "v");
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, beta1, beta2, eps, weightDecay};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double t = step.step() + (variant == Variant.COUNTER_ONE_BEHIND ? 1 : 0);
    c[0] = (float) (variant == Variant.NO_CORRECTION_OF_M ? 1 : 1 - Math.pow(beta1, t));
    c[1] = (float) (variant == Variant.NO_CORRECTION_OF_V ? 1 : 1 - Math.pow(beta2, t));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    for (int i = 0; i < n; i++) {
      float gradient = g[i];
      if (variant == Variant.COUPLED_DECAY) {
        gradient += (float) weightDecay * p[i];
      } else {
        p[i] *= (float) (1 - lr * weightDecay);
      }
      float old = state[0][i];
      float m = (float) beta1 * old + (float) (1 - beta1) * gradient;
      float v = (float) beta2 * state[1][i] + (float) (1 - beta2) * gradient * gradient;
      state[0][i] = m;
      state[1][i] = v;
      double root =
          switch (variant) {
            case EPS_INSIDE_THE_ROOT -> Math.sqrt(v / c[1] + eps);
            case EPS_BEFORE_THE_ROOT_IS_CORRECTED -> (Math.sqrt(v) + eps) / Math.sqrt(c[1]);
            default -> Math.sqrt(v / c[1]) + eps;
          };
      p[i] -= (float) (lr / c[0] * (variant == Variant.OLD_M ? old : m) / root);
    }
  }
}
