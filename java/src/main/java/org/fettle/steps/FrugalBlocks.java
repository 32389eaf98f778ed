package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.CallChecks;

/**
 * FRUGAL by blocks: AdamW on some tensors, a step without state on the others; the choice changes
 * every updateGap steps.
 *
 * <p>{@code round(density * tensors)} of them are active, halves to even. Every choice starts all
 * moments and counters anew, also of those that are chosen again. The arithmetic is {@link
 * Frugal}'s. F32; the same bits on every backend. Source: arXiv:2411.07837; fzmushko/FRUGAL.
 */
public final class FrugalBlocks extends StepObject {
  private final FrugalOptions options;
  private final Order order;
  private final long seed;
  private final List<Parameter> parameters;
  private final List<Tensor> first = new ArrayList<>();
  private final List<Tensor> second = new ArrayList<>();
  private final int count;
  private boolean[] active;
  private long calls;
  private long counter;
  private boolean chosen;

  /** In which order tensors take their turns. */
  public enum Order {
    /** Drawn. */
    RANDOM,
    /** The next ones, wrapping around. */
    ASCENDING,
    /** The next ones from the end, wrapping around. */
    DESCENDING,
    /** Pairs from both ends inwards; needs an even number of active tensors. */
    MIRROR
  }

  /** A step over these tensors. */
  public FrugalBlocks(
      Backend backend, FrugalOptions options, Order order, long seed, List<Parameter> parameters) {
    super(backend);
    this.options = Objects.requireNonNull(options, "options");
    this.order = Objects.requireNonNull(order, "order");
    this.seed = seed;
    this.parameters = List.copyOf(parameters);
    CallChecks checks = check(parameters);
    for (int i = 0; i < parameters.size(); i++) {
      Kernels.f32("tensor " + i, parameters.get(i).value());
      Kernels.f32("tensor " + i + ".gradient", parameters.get(i).gradient());
    }
    checks.done();
    count = (int) Math.rint(options.density() * parameters.size());
    if (order == Order.MIRROR && count % 2 != 0) {
      throw new IllegalArgumentException(
          count + " active tensors: expected an even number for " + order);
    }
    for (Parameter parameter : parameters) {
      first.add(allocate(parameter.value().shape()));
      second.add(allocate(parameter.value().shape()));
    }
    active = new boolean[parameters.size()];
  }

  /** Whether the next step makes a choice. */
  public boolean isChoiceDue() {
    return calls % options.updateGap() == 0;
  }

  /**
   * The choice of the next step; takes the place of the order's.
   *
   * @throws IllegalStateException if none is due
   */
  public void choose(boolean... newActive) {
    if (newActive.length != parameters.size()) {
      throw new IllegalArgumentException(
          newActive.length + " flags: expected " + parameters.size() + ", one per tensor");
    }
    enter();
    try {
      if (!isChoiceDue()) {
        throw new IllegalStateException("no choice is due: expected one every updateGap steps");
      }
      take(newActive.clone());
    } finally {
      leave();
    }
  }

  private void take(boolean[] newActive) {
    active = newActive;
    counter = 0;
    for (int i = 0; i < active.length; i++) {
      if (active[i]) {
        int n = Math.toIntExact(first.get(i).elements());
        org.fettle.internal.algebra.Matrix.write(engine, first.get(i), new double[n]);
        org.fettle.internal.algebra.Matrix.write(engine, second.get(i), new double[n]);
      }
    }
    chosen = true;
  }

  /** The choice that the order makes, of the number that it has. */
  private boolean[] next(long number) {
    int all = parameters.size();
    boolean[] result = new boolean[all];
    if (all == 0) {
      return result;
    }
    int[] drawn = order == Order.RANDOM ? new Permutations(seed, number).first(all, count) : null;
    for (int i = 0; i < count; i++) {
      int at =
          switch (order) {
            case RANDOM -> drawn[i];
            case ASCENDING -> (int) ((number * count + i) % all);
            case DESCENDING -> all - 1 - (int) ((number * count + i) % all);
            case MIRROR -> mirrored((number * (count / 2) + i / 2) % ((all + 1) / 2), i % 2, all);
          };
      result[at] = true;
    }
    return result;
  }

  private static int mirrored(long pair, int side, int all) {
    return side == 0 ? (int) pair : all - 1 - (int) pair;
  }

  /** One step with the learning rate of the options. */
  public void step() {
    step(options.lr());
  }

  /** One step with another learning rate. */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      if (isChoiceDue() && !chosen) {
        take(next(calls / options.updateGap()));
      }
      chosen = false;
      calls++;
      counter++;
      for (int i = 0; i < active.length; i++) {
        FrugalCall.run(
            engine,
            options,
            lr,
            counter,
            active[i] ? FrugalCall.EVERYTHING : FrugalCall.NOTHING,
            1,
            0,
            parameters.get(i).value(),
            parameters.get(i).gradient(),
            first.get(i),
            second.get(i),
            null);
      }
    } finally {
      leave();
    }
  }

  /** Whether a tensor is active at present. */
  public boolean isActive(int tensor) {
    return active[tensor];
  }
}
