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
 * Multi-momentum: one momentum per cluster of the data, weighted by the clusters' probabilities.
 *
 * <pre>
 * batch of cluster k: m = ema(m_k, g, beta) ;  D = D + pi_k * (m - m_k) ;  m_k = m ;  p = p - lr * D
 * </pre>
 *
 * <p>D is formed anew from all momenta every 1,000 steps (32 where momenta are rounded), so that
 * rounding errors do not add up. Source: arXiv:2111.11828, abstract only; the rule is ours.
 */
public final class MultiMomentum extends SavedStep {
  private static final long RENEWAL = 1000;
  // What rounding takes from a momentum never reaches D before it is formed anew.
  private static final long ROUNDED_RENEWAL = 32;

  private final Options options;
  private final double[] probabilities;
  private final int count;
  private final long renewal;
  private final List<Operand> directions = new ArrayList<>();
  private final List<BatchRunner> updates = new ArrayList<>();
  private final List<BatchRunner> renewals = new ArrayList<>();

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 1e-3
   * @param beta in [0, 1); default 0.9
   */
  public record Options(double lr, double beta) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.fraction("beta", beta);
    }

    /** The defaults. */
    public Options() {
      this(1e-3, 0.9);
    }
  }

  /**
   * A step over these parameters with states in F32.
   *
   * @param probabilities of the clusters, one or more, each in [0, 1]
   */
  public MultiMomentum(
      Backend backend, Options options, double[] probabilities, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, probabilities, parameters);
  }

  /**
   * A step over these parameters.
   *
   * @param storage of the momenta; D stays F32, because it is a sum of their changes
   * @param probabilities of the clusters, one or more, each in [0, 1]
   */
  public MultiMomentum(
      Backend backend,
      Options options,
      StateStorage storage,
      double[] probabilities,
      List<Parameter> parameters) {
    super(backend, "multi_momentum", storage);
    renewal = storage.isRounded() ? ROUNDED_RENEWAL : RENEWAL;
    this.options = options;
    this.probabilities = probabilities.clone();
    count = parameters.size();
    if (probabilities.length == 0) {
      throw new IllegalArgumentException("no probabilities: expected one per cluster");
    }
    for (double probability : probabilities) {
      Range.check("probability", probability, probability >= 0 && probability <= 1, "in [0, 1]");
    }
    checkStored(parameters).done();
    List<Operand> values = new ArrayList<>();
    for (Parameter parameter : parameters) {
      String label = label(values.size(), parameter);
      values.add(value(label, parameter.value()));
      directions.add(state(label, "direction", Content.EXACT, parameter.value().shape()));
    }
    for (int k = 0; k < probabilities.length; k++) {
      List<Batch.Item> update = new ArrayList<>();
      List<Batch.Item> anew = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        Parameter parameter = parameters.get(i);
        Operand p = values.get(i);
        Operand d = directions.get(i);
        Operand m = state(label(i, parameter), "m" + k, Content.SIGNED, parameter.value().shape());
        Operand g = Operand.of(parameter.gradient());
        update.add(Batch.Item.of(Primitive.MULTI_MOMENTUM, m, d, g, p, m, d, p));
        anew.add(Batch.Item.of(Primitive.LINEAR, m, d, d));
      }
      updates.add(open(update));
      renewals.add(open(anew));
    }
  }

  /** One step with the learning rate of the options. */
  public void step(int cluster) {
    step(cluster, options.lr);
  }

  /**
   * One step.
   *
   * @param cluster whose batch the gradients are from, counted from 0
   * @param lr this step's learning rate
   */
  public void step(int cluster, double lr) {
    int clusters = probabilities.length;
    Range.check("cluster", cluster, cluster >= 0 && cluster < clusters, "0 to " + (clusters - 1));
    Range.nonNegative("lr", lr);
    enter();
    try {
      BatchRunner update = updates.get(cluster);
      factors(update, count, options.beta, 1.0 - options.beta, probabilities[cluster], -lr);
      update.run();
      stepped();
      if (steps() % renewal == 0) {
        for (int k = 0; k < clusters; k++) {
          factors(renewals.get(k), count, probabilities[k], k == 0 ? 0 : 1);
          renewals.get(k).run();
        }
      }
    } finally {
      leave();
    }
  }

  /** The direction D of a tensor: a view that lives as long as this. */
  public Tensor direction(int tensor) {
    return open(directions.get(tensor).tensor());
  }
}
