package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;

/**
 * Polyak's step size with a moving direction (ALR-SMAG): the loss says how far to go.
 *
 * <pre>
 * d = beta * d + g ;  tau = min(etaMax, max(loss - lowerBound, 0) / (c * |d|^2)), 0 where d is 0
 * p = p * (1 - wd * tau) - tau * d
 * </pre>
 *
 * <p>The norm runs over all tensors, so a step takes two passes. The clamp at 0 is ours. Source:
 * arXiv:2305.12939.
 */
public final class PolyakMomentum extends SavedStep {
  private final Options options;
  private final int count;
  private final List<Operand> directions = new ArrayList<>();
  private final BatchRunner sums;
  private final BatchRunner update;

  /**
   * The hyperparameters.
   *
   * @param beta of the direction, in [0, 1); default 0.9
   * @param c how far to trust the bound: larger is shorter; positive; default 1
   * @param etaMax largest step size, finite and at least 0; default 0.1
   * @param lowerBound what no loss is below; default 0
   * @param weightDecay finite and at least 0; default 0
   */
  public record Options(
      double beta, double c, double etaMax, double lowerBound, double weightDecay) {
    /** Checks the hyperparameters. */
    public Options {
      Range.fraction("beta", beta);
      Range.positive("c", c);
      Range.nonNegative("etaMax", etaMax);
      Range.finite("lowerBound", lowerBound);
      Range.nonNegative("weightDecay", weightDecay);
    }

    /** The defaults. */
    public Options() {
      this(0.9, 1, 0.1, 0, 0);
    }
  }

  /** A step over these parameters with states in F32; its directions start at 0. */
  public PolyakMomentum(Backend backend, Options options, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, parameters);
  }

  /**
   * A step over these parameters; its directions start at 0.
   *
   * @param storage of d
   */
  public PolyakMomentum(
      Backend backend, Options options, StateStorage storage, List<Parameter> parameters) {
    super(backend, "polyak_momentum", storage);
    this.options = options;
    count = parameters.size();
    checkStored(parameters).done();
    List<Batch.Item> first = new ArrayList<>();
    List<Batch.Item> second = new ArrayList<>();
    for (Parameter parameter : parameters) {
      String label = label(directions.size(), parameter);
      Operand p = value(label, parameter.value());
      Operand g = Operand.of(parameter.gradient());
      Operand d = state(label, "d", Content.SIGNED, parameter.value().shape());
      directions.add(d);
      first.add(Batch.Item.of(Primitive.POLYAK_SUM, d, g));
      second.add(Batch.Item.of(Primitive.POLYAK_STEP, p, d, g, p, d));
    }
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
      factors(sums, count, options.beta);
      sums.run();
      double square = total(sums, count, 0);
      double tau = limited(gap(loss, options.lowerBound), options.c * square, options.etaMax);
      factors(update, count, options.beta, -tau, 1.0 - options.weightDecay * tau);
      update.run();
      stepped();
      return tau;
    } finally {
      leave();
    }
  }

  /** The direction d of a tensor: a view that lives as long as this. */
  public Tensor direction(int tensor) {
    return open(directions.get(tensor).tensor());
  }

  static double gap(double loss, double lowerBound) {
    return Math.max(loss - lowerBound, 0.0);
  }

  private static double limited(double gap, double denominator, double most) {
    if (denominator == 0.0) {
      return 0.0;
    }
    double tau = gap / denominator;
    return tau > most ? most : tau;
  }
}
