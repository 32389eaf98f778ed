package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Rule.StepContext;
import org.fettle.Transcendental;

/** What the Schedule-Free rules share. Twin of {@code rules/schedule_free.h}. */
final class ScheduleFreeArithmetic {
  static final List<String> SCALARS = List.of("ckp1", "lr_max", "lr_t", "weight_sum");

  private ScheduleFreeArithmetic() {}

  static double warmed(StepContext step, double rate, long warmupSteps) {
    double t = (double) step.step();
    return t <= (double) warmupSteps ? rate * (t / (double) warmupSteps) : rate;
  }

  /** The mixing factors, c[0] to c[5]: keep, take, directionShare, minusLr, decay, first. */
  static void mix(
      StepContext step,
      double rate,
      double beta,
      double decay,
      double r,
      double weightLrPower,
      float[] c) {
    double largest = step.scalar(1) > rate ? step.scalar(1) : rate;
    double weight =
        Transcendental.power((double) step.step(), r)
            * Transcendental.power(largest, weightLrPower);
    double sum = step.scalar(3) + weight;
    double share = sum == 0.0 ? 0.0 : weight / sum;
    step.scalar(0, share);
    step.scalar(1, largest);
    step.scalar(2, rate);
    step.scalar(3, sum);
    c[0] = (float) (1.0 - share);
    c[1] = (float) share;
    c[2] = (float) (rate * (beta * (1.0 - share) - 1.0));
    c[3] = (float) -rate;
    c[4] = (float) decay;
    c[5] = step.step() == 1 ? 1f : 0f;
  }

  /** The factors of the quotient, c[6] to c[10]. */
  static void quotient(
      double beta2, double eps, double numerator, long step, boolean adaptive, float[] c) {
    double corrected = Moments.rootCorrection(beta2, step);
    c[6] = (float) beta2;
    c[7] = (float) (1.0 - beta2);
    c[8] = (float) (corrected / numerator);
    c[9] = (float) (eps * corrected);
    c[10] = adaptive ? 1f : 0f;
  }

  /** In the first step z is the parameter. */
  static void begin(float[] c, int n, float[] y, float[] z) {
    if (c[5] > 0f) {
      System.arraycopy(y, 0, z, 0, n);
    }
  }

  static void moment(float[] c, int n, float[] v, float[] g) {
    Moments.averageOfSquares(v, g, c[6], c[7], n);
  }

  /** The numerator, in place, becomes the quotient; or stays as it is. */
  static void direction(float[] c, int n, float[] v, float[] numerator) {
    if (c[10] > 0f) {
      for (int i = 0; i < n; i++) {
        numerator[i] = c[8] * numerator[i] / (root(v[i]) + c[9]);
      }
    }
  }

  /** Moves y and z along d, which comes in without the decay. */
  static void move(float[] c, int n, float[] y, float[] z, float[] d) {
    addCoupledDecay(d, y, c[4], n);
    for (int i = 0; i < n; i++) {
      y[i] = fma(c[0], y[i], fma(c[1], z[i], c[2] * d[i]));
      z[i] = fma(c[3], d[i], z[i]);
    }
  }
}
