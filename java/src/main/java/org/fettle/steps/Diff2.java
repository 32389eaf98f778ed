package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Primitive;

/**
 * DIFF2: private gradients that are brought up to date by private differences.
 *
 * <pre>
 * every restartEvery steps: q as in DP-SGD
 * else: rho = slope * |p - previous| ;  d_i = g_i(p) - g_i(previous)
 *       q = q + (sum of d_i * min(1, rho / |d_i|) + noiseMultiplier * rho * xi) / batch
 * p = p - lr * q
 * </pre>
 *
 * <p>Norms run over all tensors. Refuses examples that are not finite. Source: arXiv:2302.03884,
 * abstract and a summary; the form for one worker with one noise level is ours.
 */
public final class Diff2 extends PrivateGradients {
  private final Options options;
  private final List<Tensor> previous = new ArrayList<>();
  private final BatchRunner distances;
  private final BatchRunner copies;
  private long steps;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 0.1
   * @param clip largest norm of an example at a restart, positive; default 1
   * @param slope radius of a difference over the distance moved, positive; default 1
   * @param noiseMultiplier sigma, finite and at least 0; default 1
   * @param restartEvery steps between two restarts, at least 1; default 10
   */
  public record Options(
      double lr, double clip, double slope, double noiseMultiplier, long restartEvery) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.positive("clip", clip);
      Range.positive("slope", slope);
      Range.nonNegative("noiseMultiplier", noiseMultiplier);
      Range.check("restartEvery", restartEvery, restartEvery >= 1, ">= 1");
    }

    /** The defaults. */
    public Options() {
      this(0.1, 1, 1, 1, 10);
    }
  }

  /** A step over these parameters. */
  public Diff2(Backend backend, Options options, List<Tensor> parameters) {
    super(backend, parameters);
    this.options = options;
    List<Batch.Item> distance = new ArrayList<>();
    List<Batch.Item> copy = new ArrayList<>();
    for (Tensor parameter : parameters) {
      Tensor before = allocate(parameter.shape());
      previous.add(before);
      distance.add(Batch.Item.of(Primitive.DIFFERENCE_SUMS, parameter, before, parameter));
      copy.add(Batch.Item.of(Primitive.SCALE, parameter, before));
    }
    distances = open(distance);
    copies = open(copy);
  }

  /** Whether the next step is a restart, which needs no gradients at the previous point. */
  public boolean isRestartDue() {
    return steps % options.restartEvery == 0;
  }

  /** The parameters before the last step: where the differences' gradients belong to. */
  public Tensor previous(int tensor) {
    return open(previous.get(tensor));
  }

  /**
   * One step.
   *
   * @param gradients per parameter: examples x its shape, F32, at the parameters
   * @param gradientsBefore of the same examples at {@link #previous}; may be null at a restart
   * @param noise per parameter: standard normal draws of its shape, F32
   * @throws IllegalArgumentException for an example that is not finite; nothing was changed
   */
  public void step(List<Tensor> gradients, List<Tensor> gradientsBefore, List<Tensor> noise) {
    boolean restart = isRestartDue();
    CallChecks checks = checks();
    int batch = check(checks, "gradient", gradients);
    if (!restart) {
      if (gradientsBefore == null) {
        throw new IllegalArgumentException(
            "gradientsBefore is null: expected those at the previous point, no restart is due");
      }
      if (check(checks, "gradientBefore", gradientsBefore) != batch) {
        throw new IllegalArgumentException(
            "gradientsBefore: expected " + batch + " examples, as in gradients");
      }
    }
    checkNoise(checks, noise);
    for (int i = 0; i < parameters.size(); i++) {
      checks.writes("parameter " + i, parameters.get(i));
    }
    checks.done();
    enter();
    try {
      distances.run();
      double radius =
          restart
              ? options.clip
              : options.slope * Math.sqrt(total(distances, parameters.size(), 1));
      List<Tensor> others = restart ? null : gradientsBefore;
      double[] weights = factors(batch, gradients, others, radius);
      for (int i = 0; i < parameters.size(); i++) {
        RowCombination sum =
            new RowCombination(engine, gradients.get(i))
                .noise(noise.get(i), options.noiseMultiplier * radius);
        if (!restart) {
          sum.less(gradientsBefore.get(i)).keep(estimates.get(i), 1);
        }
        sum.run(weights, 1.0 / batch, estimates.get(i));
      }
      factors(copies, parameters.size(), 1);
      copies.run();
      move(options.lr);
      steps++;
    } finally {
      leave();
    }
  }
}
