package org.fettle.rules;

import static org.fettle.Arithmetic.addCoupledDecay;
import static org.fettle.Arithmetic.fma;

import java.util.List;
import org.fettle.Hyper;
import org.fettle.Method;
import org.fettle.Range;
import org.fettle.Rule;

/**
 * NovoGrad in the convention of apex's fused kernel.
 *
 * <pre>
 * N = |g| at first (initZero: 0) ;  N = sqrt(beta2 * N^2 + (1 - beta2) * |g|^2) ;  D = N / sqrt(c2) + eps
 * outside: m = ema(m, g, beta1) ;  p = p - lr * ((m / c1) / D + wd * p)
 * inside:  m = ema(m, g / D + wd * p, beta1) ;  p = p - lr * m / c1
 * </pre>
 *
 * <p>Without averaging m takes all of the gradient; without bias correction c1 and c2 are 1. State:
 * {@code m}; scalar {@code norm}, N. Two passes. Source: NVIDIA/apex, fused kernel;
 * arXiv:1905.11286.
 *
 * @param lr learning rate, finite and at least 0; default 1e-2
 * @param beta1 in [0, 1); default 0.9
 * @param beta2 in [0, 1); default 0.999
 * @param eps outside the root, finite and at least 0; default 1e-8
 * @param weightDecay finite and at least 0; default 0
 * @param gradAveraging whether m takes (1 - beta1) of the gradient; default true
 * @param initZero whether N starts at 0 instead of the first norm; default false
 * @param regInsideMoment whether the decay enters the moment; default false
 * @param biasCorrection whether c1 and c2 correct; default true
 */
@Method(
    names = {"novograd-apex"},
    formula = "N = sqrt(beta2 N^2 + (1-beta2) |g|^2); p -= lr (m/c1 / (N/sqrt(c2) + eps) + wd p)",
    source = "NVIDIA/apex fused kernel")
public record NovoGradApex(
    double lr,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    boolean gradAveraging,
    boolean initZero,
    boolean regInsideMoment,
    boolean biasCorrection)
    implements Rule {
  /** Checks the hyperparameters. */
  public NovoGradApex {
    Range.nonNegative("lr", lr);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The defaults. */
  public NovoGradApex() {
    this(1e-2, 0.9, 0.999, 1e-8, 0, true, false, false, true);
  }

  /** Makes the rule from named options. */
  public static NovoGradApex fromHyper(String method, Hyper hyper) {
    return new NovoGradApex(
        hyper.number("lr", 1e-2),
        hyper.number("beta1", 0.9),
        hyper.number("beta2", 0.999),
        hyper.number("eps", 1e-8),
        hyper.number("weight_decay", 0),
        hyper.flag("grad_averaging", true),
        hyper.flag("init_zero", false),
        hyper.flag("reg_inside_moment", false),
        hyper.flag("bias_correction", true));
  }

  /** This, with another lr. */
  public NovoGradApex withLr(double newLr) {
    return new NovoGradApex(
        newLr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gradAveraging,
        initZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another beta1. */
  public NovoGradApex withBeta1(double newBeta1) {
    return new NovoGradApex(
        lr,
        newBeta1,
        beta2,
        eps,
        weightDecay,
        gradAveraging,
        initZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another beta2. */
  public NovoGradApex withBeta2(double newBeta2) {
    return new NovoGradApex(
        lr,
        beta1,
        newBeta2,
        eps,
        weightDecay,
        gradAveraging,
        initZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another eps. */
  public NovoGradApex withEps(double newEps) {
    return new NovoGradApex(
        lr,
        beta1,
        beta2,
        newEps,
        weightDecay,
        gradAveraging,
        initZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another weightDecay. */
  public NovoGradApex withWeightDecay(double newWeightDecay) {
    return new NovoGradApex(
        lr,
        beta1,
        beta2,
        eps,
        newWeightDecay,
        gradAveraging,
        initZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another gradAveraging. */
  public NovoGradApex withGradAveraging(boolean newGradAveraging) {
    return new NovoGradApex(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        newGradAveraging,
        initZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another initZero. */
  public NovoGradApex withInitZero(boolean newInitZero) {
    return new NovoGradApex(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gradAveraging,
        newInitZero,
        regInsideMoment,
        biasCorrection);
  }

  /** This, with another regInsideMoment. */
  public NovoGradApex withRegInsideMoment(boolean newRegInsideMoment) {
    return new NovoGradApex(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gradAveraging,
        initZero,
        newRegInsideMoment,
        biasCorrection);
  }

  /** This, with another biasCorrection. */
  public NovoGradApex withBiasCorrection(boolean newBiasCorrection) {
    return new NovoGradApex(
        lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        gradAveraging,
        initZero,
        regInsideMoment,
        newBiasCorrection);
  }

  @Override
  public String id() {
    return "novograd_apex";
  }

  @Override
  public List<String> states() {
    return List.of("m");
  }

  @Override
  public double[] hyper() {
    return new double[] {
      lr,
      beta1,
      beta2,
      eps,
      weightDecay,
      gradAveraging ? 1 : 0,
      initZero ? 1 : 0,
      regInsideMoment ? 1 : 0,
      biasCorrection ? 1 : 0
    };
  }

  @Override
  public List<String> scalars() {
    return List.of("norm");
  }

  @Override
  public int gathers() {
    return 1;
  }

  @Override
  public int sums() {
    return 1;
  }

  @Override
  public void coefficients(StepContext step, float[] c) {
    c[0] = (float) beta1;
    c[1] = 0f;
    c[2] = 0f;
    c[3] = 0f;
    c[4] = 1f;
  }

  @Override
  public void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {
    System.arraycopy(g, 0, a[0], 0, n);
    System.arraycopy(g, 0, b[0], 0, n);
  }

  @Override
  public void combine(int k, StepContext step, double[] sums, float[] c) {
    boolean fresh = step.step() == 1 && !initZero;
    double square = fresh ? sums[0] : step.scalar(0) * step.scalar(0);
    double norm = Math.sqrt(beta2 * square + (1.0 - beta2) * sums[0]);
    step.scalar(0, norm);
    double correction1 = biasCorrection ? Moments.correction(beta1, step.step()) : 1.0;
    double rootCorrection2 = biasCorrection ? Moments.rootCorrection(beta2, step.step()) : 1.0;
    double denominator = norm / rootCorrection2 + eps;
    double take = gradAveraging ? 1.0 - beta1 : 1.0;
    if (regInsideMoment) {
      c[1] = (float) (take / denominator);
      c[2] = (float) (take * weightDecay);
      c[3] = (float) -(step.lr() / correction1);
    } else {
      c[1] = (float) take;
      c[3] = (float) -(step.lr() / correction1 / denominator);
      c[4] = (float) (1.0 - step.lr() * weightDecay);
    }
  }

  @Override
  public void update(float[] c, int n, float[] p, float[] g, float[][] state) {
    final float keep = c[0];
    final float minusStepSize = c[3];
    final float decay = c[4];
    final float[] m = state[0];
    Moments.scale(g, c[1], n);
    addCoupledDecay(g, p, c[2], n);
    for (int i = 0; i < n; i++) {
      m[i] = fma(keep, m[i], g[i]);
      p[i] = fma(minusStepSize, m[i], p[i] * decay);
    }
  }
}
