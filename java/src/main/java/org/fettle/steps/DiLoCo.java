package org.fettle.steps;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;

/**
 * DiLoCo's outer step: Nesterov momentum on the mean of what the workers moved by.
 *
 * <pre>
 * g = mean over workers of (start - end) ;  B = momentum * B + g ;  p = p - lr * (g + momentum * B)
 * </pre>
 *
 * <p>The mean is added in double in the workers' order and rounded once; the step is elementwise:
 * the same bits on every backend. Source: arXiv:2311.08105.
 */
public final class DiLoCo extends SavedStep {
  private final int workers;
  private final List<Tensor> means = new ArrayList<>();
  private final List<Tensor> parameters;
  private final List<Operand> momenta = new ArrayList<>();
  private final BatchRunner update;
  private final Options options;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 0.7
   * @param momentum in [0, 1); default 0.9
   */
  public record Options(double lr, double momentum) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.fraction("momentum", momentum);
    }

    /** The defaults. */
    public Options() {
      this(0.7, 0.9);
    }
  }

  /**
   * An outer step over these parameters with a momentum in F32; it starts at 0.
   *
   * @param workers how many move in every round, at least 1
   */
  public DiLoCo(Backend backend, Options options, int workers, List<Tensor> parameters) {
    this(backend, options, StateStorage.F32, workers, parameters);
  }

  /**
   * An outer step over these parameters; momentum starts at 0.
   *
   * @param storage of the momentum
   * @param workers how many move in every round, at least 1
   */
  public DiLoCo(
      Backend backend,
      Options options,
      StateStorage storage,
      int workers,
      List<Tensor> parameters) {
    super(backend, "diloco", storage);
    Range.check("workers", workers, workers >= 1, ">= 1");
    this.workers = workers;
    this.options = options;
    this.parameters = List.copyOf(parameters);
    CallChecks checks = checks();
    for (int i = 0; i < parameters.size(); i++) {
      checks.writes("parameter " + i, parameters.get(i));
      checkCompensation("parameter " + i, parameters.get(i));
    }
    checks.done();
    List<Batch.Item> items = new ArrayList<>();
    for (Tensor parameter : parameters) {
      Tensor mean = allocate(parameter.shape());
      String label = String.valueOf(means.size());
      Operand momentum = state(label, "momentum", Content.SIGNED, parameter.shape());
      Operand p = value(label, parameter);
      means.add(mean);
      momenta.add(momentum);
      items.add(Batch.Item.of(Primitive.NESTEROV, momentum, Operand.of(mean), p, momentum, p));
    }
    update = open(items);
  }

  /** One step with the learning rate of the options. */
  public void step(List<Tensor> differences) {
    step(differences, options.lr);
  }

  /**
   * One step with another learning rate.
   *
   * @param differences start minus end of every worker; per parameter: workers x its shape, F32
   */
  public void step(List<Tensor> differences, double lr) {
    Range.nonNegative("lr", lr);
    if (differences.size() != parameters.size()) {
      throw new IllegalArgumentException(
          differences.size() + " differences: expected " + parameters.size());
    }
    CallChecks checks = checks();
    for (int i = 0; i < parameters.size(); i++) {
      Tensor difference = differences.get(i);
      checks.reads("difference " + i, difference);
      checks.writes("parameter " + i, parameters.get(i));
      Kernels.f32("difference " + i, difference);
      if (!hasRows(difference, workers, parameters.get(i).shape())) {
        throw new IllegalArgumentException(
            "difference "
                + i
                + " is "
                + difference
                + ": expected "
                + workers
                + " times the shape of "
                + parameters.get(i));
      }
    }
    checks.done();
    enter();
    try {
      double[] ones = new double[workers];
      Arrays.fill(ones, 1);
      for (int i = 0; i < parameters.size(); i++) {
        new RowCombination(engine, differences.get(i)).run(ones, 1.0 / workers, means.get(i));
      }
      factors(update, parameters.size(), options.momentum, -lr);
      update.run();
      stepped();
    } finally {
      leave();
    }
  }

  /** Whether a tensor has that many rows of the shape. */
  static boolean hasRows(Tensor tensor, long rows, long[] shape) {
    long[] extents = tensor.shape();
    return extents.length == shape.length + 1
        && extents[0] == rows
        && Arrays.equals(Arrays.copyOfRange(extents, 1, extents.length), shape);
  }

  /** The momentum of a tensor: a view that lives as long as this. */
  public Tensor momentum(int tensor) {
    return open(momenta.get(tensor).tensor());
  }
}
