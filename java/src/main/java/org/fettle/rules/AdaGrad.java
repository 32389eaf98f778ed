package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.root;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * AdaGrad.
 *
 * <pre>
 * g = g + wd * p ;  s = s + g * g
 * p = p - (lr / (1 + (t - 1) * lrDecay)) * g / (sqrt(s) + eps)
 * </pre>
 *
 * <p>State: {@code sum}, starting at {@code initialAccumulatorValue}. With eps 0 an element that
 * never saw a gradient gives 0/0, as in PyTorch. Source: torch.optim.Adagrad.
 *
 * @param lr learning rate, finite and at least 0; default 1e-2
 * @param lrDecay finite and at least 0; default 0
 * @param eps outside the root, finite and at least 0; default 1e-10
 * @param weightDecay enters the gradient, finite and at least 0; default 0
 * @param initialAccumulatorValue finite and at least 0; default 0
 */
@Method(
    names = {"adagrad"},
    formula = "s += g g; p -= lr / (1 + (t-1) lrDecay) g / (sqrt(s) + eps)",
    source = "torch.optim.Adagrad")
public record AdaGrad(
    double lr, double lrDecay, double eps, double weightDecay, double initialAccumulatorValue)
    implements Rule {
  /** Checks the hyperparameters. */
  public AdaGrad {
    Range.nonNegative("lr", lr);
    Range.nonNegative("lrDecay", lrDecay);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("initialAccumulatorValue", initialAccumulatorValue);
  }

  /** The defaults. */
  public AdaGrad() {
    this(1e-2, 0, 1e-10, 0, 0);
  }

  /** Makes the rule from named options. */
  public static AdaGrad fromHyper(String method, Hyper hyper) {
    return new AdaGrad(
        hyper.number("lr", 1e-2),
        hyper.number("lr_decay", 0),
        hyper.number("eps", 1e-10),
        hyper.number("weight_decay", 0),
        hyper.number("initial_accumulator_value", 0));
  }

  /** This, with another lr. */
  public AdaGrad withLr(double newLr) {
    return new AdaGrad(newLr, lrDecay, eps, weightDecay, initialAccumulatorValue);
  }

  /** This, with another lrDecay. */
  public AdaGrad withLrDecay(double newLrDecay) {
    return new AdaGrad(lr, newLrDecay, eps, weightDecay, initialAccumulatorValue);
  }

  /** This, with another eps. */
  public AdaGrad withEps(double newEps) {
    return new AdaGrad(lr, lrDecay, newEps, weightDecay, initialAccumulatorValue);
  }

  /** This, with another weightDecay. */
  public AdaGrad withWeightDecay(double newWeightDecay) {
    return new AdaGrad(lr, lrDecay, eps, newWeightDecay, initialAccumulatorValue);
  }

  /** This, with another initialAccumulatorValue. */
  public AdaGrad withInitialAccumulatorValue(double newInitialAccumulatorValue) {
    return new AdaGrad(lr, lrDecay, eps, weightDecay, newInitialAccumulatorValue);
  }

  @Override
  public String id() {
    return "adagrad";
  }

  @Override
  public List<String> states() {
    return List.of("sum");
  }

  @Override
  public boolean isNonNegative(int index) {
    return index == 0;
  }

  @Override
  public float initialState(int index) {
    return (float) initialAccumulatorValue;
  }

  @Override
  public double[] hyper() {
    return new double[] {lr, lrDecay, eps, weightDecay};
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = (float) weightDecay;
    c[1] = (float) eps;
    c[2] = (float) -(step.lr() / (1.0 + (double) (step.step() - 1) * lrDecay));
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float addend = c[1];
    final float minusLr = c[2];
    final float[] sum = state[0];
    addCoupledDecay(g, p, c[0], n);
    for (int i = 0; i < n; i++) {
      sum[i] = fma(g[i], g[i], sum[i]);
    }
    for (int i = 0; i < n; i++) {
      p[i] = fma(minusLr, g[i] / (root(sum[i]) + addend), p[i]);
    }
  }
}
