package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.larger;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Arithmetic;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdaBelief: the second moment of what the first did not expect.
 *
 * <pre>
 * decoupled: p = p * (1 - lr * wd), with fixedDecay p * (1 - wd)      coupled: g = g + wd * p
 * m = ema(m, g, beta1) ;  e = g - m ;  s = ema(s, e * e, beta2) + eps ;  amsgrad: smax = max(smax, s)
 * plain: p = p - (lr / c1) * m / (sqrt(w) / sqrt(c2) + eps), w = smax or s
 * rectified: rinf = 2 / (1 - beta2) - 1 ;  r = rinf - 2 * t * beta2^t / c2
 *   r &gt;= 5: p = p - lr * k * m / (sqrt(s) + eps), k = sqrt(c2 (r-4)(r-2) rinf / ((rinf-4)(rinf-2) r)) / c1
 *   r &lt; 5:  p = p - (lr / c1) * m with degenerateToSgd, else p stays
 * </pre>
 *
 * <p>States: {@code m}, {@code s}, with amsgrad {@code smax}. eps is stored in s in every step. The
 * rectified branch does not read smax, as in the author's program. Source: arXiv:2010.07468;
 * juntang- zhuang/Adabelief-Optimizer 0.2.1.
 *
 * @param lr learning rate, finite and at least 0; default 1e-3
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps added into the stored state and outside the root, finite and at least 0; default 1e-16
 * @param weightDecay finite and at least 0; default 0
 * @param decoupled whether the decay scales the parameter; default true
 * @param fixedDecay whether the decoupled decay leaves out lr; default false
 * @param rectify whether the step is rectified; default true
 * @param degenerateToSgd what a rectified step does before it can adapt; default true
 * @param amsgrad whether the largest second moment so far is used; default false
 */
@Method(
    names = {"adabelief"},
    formula =
        "s = ema(s, (g-m)^2, beta2) + eps; p -= lr/c1 m / (sqrt(s)/sqrt(c2) + eps), or rectified",
    source = "arXiv:2010.07468; Adabelief-Optimizer 0.2.1")
public record AdaBelief(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    boolean decoupled,
    boolean fixedDecay,
    boolean rectify,
    boolean degenerateToSgd,
    boolean amsgrad)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdaBelief {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public AdaBelief() {
    this(1e-3, 0.9, 0.999, 1e-16, 0, true, false, true, true, false);
  }

  /** Makes the rule from named options. */
  public static AdaBelief fromHyper(String method, Hyper hyper) {
    return new AdaBelief(
        hyper.number("lr", 1e-3),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-16),
        hyper.number("weight_decay", 0),
        hyper.flag("decoupled", true),
        hyper.flag("fixed_decay", false),
        hyper.flag("rectify", true),
        hyper.flag("degenerate_to_sgd", true),
        hyper.flag("amsgrad", false));
  }

  /** This, with another lr. */
  public AdaBelief withLr(double newLr) {
    return new AdaBelief(
        newLr,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another beta1. */
  public AdaBelief withBeta1(double newBeta1) {
    return new AdaBelief(
        lr,
        newBeta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another beta2. */
  public AdaBelief withBeta2(double newBeta2) {
    return new AdaBelief(
        lr,
        beta1,
        newBeta2,
        eps,
        weightDecay,
        decoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another eps. */
  public AdaBelief withEps(double newEps) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        newEps,
        weightDecay,
        decoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another weightDecay. */
  public AdaBelief withWeightDecay(double newWeightDecay) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        eps,
        newWeightDecay,
        decoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another decoupled. */
  public AdaBelief withDecoupled(boolean newDecoupled) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        newDecoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another fixedDecay. */
  public AdaBelief withFixedDecay(boolean newFixedDecay) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        newFixedDecay,
        rectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another rectify. */
  public AdaBelief withRectify(boolean newRectify) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        fixedDecay,
        newRectify,
        degenerateToSgd,
        amsgrad);
  }

  /** This, with another degenerateToSgd. */
  public AdaBelief withDegenerateToSgd(boolean newDegenerateToSgd) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        fixedDecay,
        rectify,
        newDegenerateToSgd,
        amsgrad);
  }

  /** This, with another amsgrad. */
  public AdaBelief withAmsgrad(boolean newAmsgrad) {
    return new AdaBelief(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        fixedDecay,
        rectify,
        degenerateToSgd,
        newAmsgrad);
  }

  @Override
  public String id() {
    return amsgrad ? "adabelief_amsgrad" : "adabelief";
  }

  @Override
  public List<String> states() {
    return amsgrad ? List.of("m", "s", "smax") : List.of("m", "s");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index >= 1;
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr,
      beta1,
      beta2,
      eps,
      weightDecay,
      decoupled ? 1 : 0,
      fixedDecay ? 1 : 0,
      rectify ? 1 : 0,
      degenerateToSgd ? 1 : 0
    };
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    double t = (double) step.step();
    double correction1 = Moments.correction(beta1, step.step());
    double rest = Arithmetic.power(beta2, step.step());
    double correction2 = 1.0 - rest;
    double root = Math.sqrt(correction2);
    double stepSize = step.lr() * root / correction1;
    double outer = eps * root;
    boolean adapts = true;
    if (rectify) {
      double limit = 2.0 / (1.0 - beta2) - 1.0;
      double length = limit - 2.0 * t * rest / correction2;
      adapts = length >= 5.0;
      if (adapts) {
        double ratio =
            (length - 4.0) * (length - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * length);
        stepSize = step.lr() * (Math.sqrt(correction2 * ratio) / correction1);
        outer = eps;
      } else {
        stepSize = degenerateToSgd ? step.lr() / correction1 : 0.0;
      }
    }
    double shrink = fixedDecay ? weightDecay : step.lr() * weightDecay;
    Moments.coefficients(beta1, beta2, c);
    c[4] = decoupled ? 0f : (float) weightDecay;
    c[5] = decoupled ? (float) (1.0 - shrink) : 1f;
    c[6] = (float) eps;
    c[7] = (float) -stepSize;
    c[8] = (float) outer;
    c[9] = adapts ? 1f : 0f;
    c[10] = amsgrad && !rectify ? 1f : 0f;
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep2 = c[2];
    final float take2 = c[3];
    final float storedEps = c[6];
    final float minusStepSize = c[7];
    final float outerEps = c[8];
    final boolean adapts = c[9] > 0f;
    final float[] m = state[0];
    final float[] s = state[1];
    Moments.scale(p, c[5], n);
    addCoupledDecay(g, p, c[4], n);
    Moments.average(m, g, c[0], c[1], n);
    for (int i = 0; i < n; i++) {
      float surprise = g[i] - m[i];
      s[i] = movingAverage(s[i], surprise * surprise, keep2, take2) + storedEps;
    }
    float[] second = s;
    if (amsgrad) {
      float[] largest = state[2];
      for (int i = 0; i < n; i++) {
        largest[i] = larger(largest[i], s[i]);
      }
      second = c[10] > 0f ? largest : s;
    }
    for (int i = 0; i < n; i++) {
      p[i] = fma(minusStepSize, adapts ? m[i] / (root(second[i]) + outerEps) : m[i], p[i]);
    }
  }
}
