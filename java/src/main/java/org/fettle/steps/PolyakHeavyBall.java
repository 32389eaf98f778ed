package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;

/**
 * Polyak's step size for the heavy ball.
 *
 * <pre>
 * tau = clamp(max(loss - lowerBound, 0) / (c * |g|^2) + beta * &lt;g, p - q&gt; / |g|^2, 0, etaMax), 0 where g is 0
 * q, p = p, p - tau * g + beta * (p - q)
 * </pre>
 *
 * <p>q is the parameter before the last step, and starts as the parameter. Norm and inner product
 * run over all tensors. Source: arXiv:2305.12939.
 */
public final class PolyakHeavyBall extends SavedStep {
  private final Options options;
  private final int count;
  private final BatchRunner copies;
  private final BatchRunner sums;
  private final BatchRunner update;
  private boolean started;

  /**
   * The hyperparameters.
   *
   * @param beta of the heavy ball, in [0, 1); default 0.9
   * @param c how far to trust the bound: larger is shorter; positive; default 1
   * @param etaMax largest step size, finite and at least 0; default 0.1
   * @param lowerBound what no loss is below; default 0
   */
  public record Options(double beta, double c, double etaMax, double lowerBound) {
    /** Checks the hyperparameters. */
    public Options {
      Range.fraction("beta", beta);
      Range.positive("c", c);
      Range.nonNegative("etaMax", etaMax);
      Range.finite("lowerBound", lowerBound);
    }

    /** The defaults. */
    public Options() {
      this(0.9, 1, 0.1, 0);
    }
  }

  /** A step over these parameters; q starts as what they are in the first step. */
  public PolyakHeavyBall(Backend backend, Options options, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, parameters);
  }

  /**
   * A step over these parameters; q starts as what they are in the first step.
   *
   * @param storage F32, maybe with a compensation: p - q would be lost in fewer bits
   */
  public PolyakHeavyBall(
      Backend backend, Options options, StateStorage storage, List<Parameter> parameters) {
    super(backend, "polyak_heavy_ball", storage);
    this.options = options;
    count = parameters.size();
    checkStored(parameters).done();
    if (storage.isRounded()) {
      throw new IllegalArgumentException(
          "state q is to be stored as " + storage + ": expected F32, differences are taken of it");
    }
    List<Batch.Item> starts = new ArrayList<>();
    List<Batch.Item> first = new ArrayList<>();
    List<Batch.Item> second = new ArrayList<>();
    for (Parameter parameter : parameters) {
      String label = label(starts.size(), parameter);
      Operand p = value(label, parameter.value());
      Operand g = Operand.of(parameter.gradient());
      Operand q = state(label, "q", Content.EXACT, parameter.value().shape());
      starts.add(Batch.Item.of(Primitive.SCALE, p, q));
      first.add(Batch.Item.of(Primitive.DIFFERENCE_SUMS, p, q, g));
      second.add(Batch.Item.of(Primitive.HEAVY_BALL, p, q, g, p, q));
    }
    copies = open(starts);
    sums = open(first);
    update = open(second);
  }

  /**
   * One step.
   *
   * @param loss of the batch that the gradients belong to
   * @return the step size tau that was used
   * @throws IllegalArgumentException for a loss that is NaN; nothing was changed
   */
  public double step(double loss) {
    Range.check("loss", loss, !Double.isNaN(loss), "a number");
    enter();
    try {
      if (!started) {
        factors(copies, count, 1);
        copies.run();
        started = true;
      }
      sums.run();
      double square = total(sums, count, 2);
      double gap = PolyakMomentum.gap(loss, options.lowerBound);
      double tau = 0;
      if (square != 0.0) {
        tau = gap / (options.c * square) + options.beta * total(sums, count, 0) / square;
        tau = tau < 0.0 ? 0.0 : (tau > options.etaMax ? options.etaMax : tau);
      }
      factors(update, count, options.beta, -tau);
      update.run();
      stepped();
      return tau;
    } finally {
      leave();
    }
  }

  @Override
  Map<String, Double> scalars() {
    return Map.of("started", started ? 1.0 : 0.0);
  }

  @Override
  void restore(Map<String, Double> scalars) {
    started = scalars.get("started") != 0;
  }
}
