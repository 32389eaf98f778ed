package org.fettle.steps;

import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.CallChecks;

/**
 * DP-SGD: every example's gradient limited in norm, summed, and noise added.
 *
 * <pre>
 * q = (sum of g_i * min(1, clip / |g_i|) + noiseMultiplier * clip * xi) / batch ;  p = p - lr * q
 * </pre>
 *
 * <p>The norm of an example runs over all tensors; the sum is double, in the examples' order,
 * rounded once: the same bits on every backend. An example that is not finite is refused, because
 * clipping it would void the guarantee in silence. The draws xi are the caller's: from a
 * cryptographic generator where privacy counts. Accounting is not done here. Source:
 * arXiv:1607.00133.
 */
public final class DpSgd extends PrivateGradients {
  private final Options options;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 0.1
   * @param clip largest norm of an example, positive; default 1
   * @param noiseMultiplier sigma, finite and at least 0; default 1
   */
  public record Options(double lr, double clip, double noiseMultiplier) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.positive("clip", clip);
      Range.nonNegative("noiseMultiplier", noiseMultiplier);
    }

    /** The defaults. */
    public Options() {
      this(0.1, 1, 1);
    }
  }

  /** A step over these parameters. */
  public DpSgd(Backend backend, Options options, List<Tensor> parameters) {
    super(backend, parameters);
    this.options = options;
  }

  /** One step with the learning rate of the options. */
  public void step(List<Tensor> gradients, List<Tensor> noise) {
    step(gradients, noise, options.lr);
  }

  /**
   * One step.
   *
   * @param gradients per parameter: examples x its shape, F32
   * @param noise per parameter: standard normal draws of its shape, F32
   * @param lr this step's learning rate
   * @throws IllegalArgumentException for an example that is not finite; nothing was changed
   */
  public void step(List<Tensor> gradients, List<Tensor> noise, double lr) {
    Range.nonNegative("lr", lr);
    CallChecks checks = checks();
    int batch = check(checks, "gradient", gradients);
    checkNoise(checks, noise);
    for (int i = 0; i < parameters.size(); i++) {
      checks.writes("parameter " + i, parameters.get(i));
    }
    checks.done();
    enter();
    try {
      double[] weights = factors(batch, gradients, null, options.clip);
      double scale = options.noiseMultiplier * options.clip;
      for (int i = 0; i < parameters.size(); i++) {
        new RowCombination(engine, gradients.get(i))
            .noise(noise.get(i), scale)
            .run(weights, 1.0 / batch, estimates.get(i));
      }
      move(lr);
    } finally {
      leave();
    }
  }
}
