package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;

/**
 * FRUGAL by blocks: AdamW on some tensors, a step without state on the others; the choice changes
 * every updateGap steps.
 *
 * <p>{@code round(density * tensors)} of them are active, halves to even. Every choice starts all
 * moments and counters anew, also of those that are chosen again. The arithmetic is {@link
 * Frugal}'s. F32; the same bits on every backend. Source: arXiv:2411.07837; fzmushko/FRUGAL.
 */
public final class FrugalBlocks extends FrugalStep {
  private final Order order;
  private final long seed;
  private final List<Parameter> parameters;
  private final List<Operand> first = new ArrayList<>();
  private final List<Operand> second = new ArrayList<>();
  private final List<BatchRunner> updates = new ArrayList<>();
  private final int count;
  private boolean[] active;

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

  /** A step over these tensors with moments in F32. */
  public FrugalBlocks(
      Backend backend, FrugalOptions options, Order order, long seed, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, order, seed, parameters);
  }

  /**
   * A step over these tensors.
   *
   * @param storage of the moments
   */
  public FrugalBlocks(
      Backend backend,
      FrugalOptions options,
      StateStorage storage,
      Order order,
      long seed,
      List<Parameter> parameters) {
    super(backend, "frugal_blocks", storage, options);
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
      String label = label(first.size(), parameter);
      long[] shape = parameter.value().shape();
      Operand p = Operand.of(parameter.value());
      Operand g = Operand.of(parameter.gradient());
      Operand m = state(label, "m", Content.SIGNED, shape);
      Operand v = state(label, "v", Content.NON_NEGATIVE, shape);
      first.add(m);
      second.add(v);
      updates.add(open(List.of(Batch.Item.of(Primitive.ADAM_UPDATE, g, p, m, v, m, v, p))));
    }
    active = new boolean[parameters.size()];
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
      expectDue();
      take(newActive.clone());
    } finally {
      leave();
    }
  }

  private void take(boolean[] newActive) {
    active = newActive;
    chose(true);
    for (int i = 0; i < active.length; i++) {
      if (active[i]) {
        clear(first.get(i));
        clear(second.get(i));
      }
    }
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
      if (mustChoose()) {
        take(next(choiceNumber()));
      }
      long j = begin();
      for (int i = 0; i < active.length; i++) {
        if (active[i]) {
          update(updates.get(i), lr, j);
          continue;
        }
        FrugalCall.run(
            engine,
            options,
            lr,
            j,
            FrugalCall.NOTHING,
            1,
            0,
            parameters.get(i).value(),
            parameters.get(i).gradient(),
            null,
            null,
            null);
      }
      stepped();
    } finally {
      leave();
    }
  }

  private void update(BatchRunner update, double lr, long j) {
    double[] size = FrugalCall.sizes(options, lr, j);
    factors(
        update,
        1,
        options.beta1(),
        1.0 - options.beta1(),
        options.beta2(),
        1.0 - options.beta2(),
        0.0,
        -size[0],
        size[1],
        1.0 - lr * options.weightDecay());
    update.run();
  }

  /** Whether a tensor is active at present. */
  public boolean isActive(int tensor) {
    return active[tensor];
  }

  @Override
  Map<String, Double> scalars() {
    Map<String, Double> scalars = super.scalars();
    for (int i = 0; i < active.length; i++) {
      scalars.put("active." + i, active[i] ? 1.0 : 0.0);
    }
    return scalars;
  }

  @Override
  void restore(Map<String, Double> scalars) {
    super.restore(scalars);
    for (int i = 0; i < active.length; i++) {
      active[i] = scalars.get("active." + i) != 0;
    }
  }
}
