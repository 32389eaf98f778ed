package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;

/**
 * Multi-momentum: one momentum per cluster of the data, weighted by the clusters' probabilities.
 *
 * <pre>
 * batch of cluster k: m = ema(m_k, g, beta) ;  D = D + pi_k * (m - m_k) ;  m_k = m ;  p = p - lr * D
 * </pre>
 *
 * <p>D is formed anew from all momenta every 1,000 steps, so that its rounding errors do not add
 * up. Source: arXiv:2111.11828, abstract only; the rule is ours.
 */
public final class MultiMomentum extends StepObject {
  private static final long RENEWAL = 1000;

  private final Options options;
  private final double[] probabilities;
  private final int count;
  private final List<Tensor> directions = new ArrayList<>();
  private final List<BatchRunner> updates = new ArrayList<>();
  private final List<BatchRunner> renewals = new ArrayList<>();
  private long steps;

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
   * A step over these parameters.
   *
   * @param probabilities of the clusters, one or more, each in [0, 1]
   */
  public MultiMomentum(
      Backend backend, Options options, double[] probabilities, List<Parameter> parameters) {
    super(backend);
    this.options = options;
    this.probabilities = probabilities.clone();
    count = parameters.size();
    if (probabilities.length == 0) {
      throw new IllegalArgumentException("no probabilities: expected one per cluster");
    }
    for (double probability : probabilities) {
      Range.check("probability", probability, probability >= 0 && probability <= 1, "in [0, 1]");
    }
    check(parameters).done();
    for (Parameter parameter : parameters) {
      directions.add(allocate(parameter.value().shape()));
    }
    for (int k = 0; k < probabilities.length; k++) {
      List<Batch.Item> update = new ArrayList<>();
      List<Batch.Item> renewal = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        Tensor p = parameters.get(i).value();
        Tensor d = directions.get(i);
        Tensor m = allocate(p.shape());
        Tensor g = parameters.get(i).gradient();
        update.add(Batch.Item.of(Primitive.MULTI_MOMENTUM, m, d, g, p, m, d, p));
        renewal.add(Batch.Item.of(Primitive.LINEAR, m, d, d));
      }
      updates.add(open(update));
      renewals.add(open(renewal));
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
      steps++;
      if (steps % RENEWAL == 0) {
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
    return open(directions.get(tensor));
  }
}
