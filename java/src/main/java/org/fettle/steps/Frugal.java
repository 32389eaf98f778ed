package org.fettle.steps;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Operand;

/**
 * FRUGAL by coordinates: AdamW on some columns, rows or elements of a matrix, a step without state
 * on the others.
 *
 * <pre>
 * every updateGap steps: choose anew ;  p = p * (1 - lr * wd) ;  j counts since the choice
 * chosen: m = ema(m, g, beta1), v = ema(v, g * g, beta2), p = p - lr * a / (1 - beta1^j) * m / (sqrt(v) / sqrt(1 - beta2^j) + eps)
 * others: p = p - lr * a * b * f(g), f = sign, identity or nothing
 * </pre>
 *
 * <p>Moments exist for the chosen only, in the order of the choice: {@code floor(density * extent)}
 * of them, which may be none. The choice is the first part of a random permutation, or the
 * caller's. F32; the same bits on every backend. Source: arXiv:2411.07837; fzmushko/FRUGAL.
 */
public final class Frugal extends FrugalStep {
  private final Choice choice;
  private final long seed;
  private final Parameter parameter;
  private final long rows;
  private final long columns;
  private final int extent;
  private final int selected;
  private final Operand first;
  private final Operand second;
  private final Unpacking.Unpacked firstFloats;
  private final Unpacking.Unpacked secondFloats;
  private final Tensor place;

  /** What is chosen. */
  public enum Choice {
    /** Whole columns. */
    COLUMNS,
    /** Whole rows. */
    ROWS,
    /** Single elements. */
    ELEMENTS
  }

  /**
   * A step of one matrix with moments in F32.
   *
   * @param choice what is chosen
   * @param seed of the choices
   * @param parameter two axes, F32
   */
  public Frugal(
      Backend backend, FrugalOptions options, Choice choice, long seed, Parameter parameter) {
    this(backend, options, StateStorage.F32, choice, seed, parameter);
  }

  /**
   * A step of one matrix.
   *
   * @param storage of the moments, which are decoded to F32 for the time of a step where they are
   *     not; their order is that of the choice
   * @param choice what is chosen
   * @param seed of the choices
   * @param parameter two axes, F32
   */
  public Frugal(
      Backend backend,
      FrugalOptions options,
      StateStorage storage,
      Choice choice,
      long seed,
      Parameter parameter) {
    super(backend, "frugal", storage, options);
    this.choice = Objects.requireNonNull(choice, "choice");
    this.seed = seed;
    this.parameter = parameter;
    check(List.of(parameter)).done();
    Tensor p = parameter.value();
    Kernels.f32("tensor 0", p);
    Kernels.f32("tensor 0.gradient", parameter.gradient());
    if (p.rank() != 2 || p.elements() > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException("tensor 0 is " + p + ": expected a matrix");
    }
    rows = p.shape()[0];
    columns = p.shape()[1];
    long all =
        switch (choice) {
          case COLUMNS -> columns;
          case ROWS -> rows;
          case ELEMENTS -> p.elements();
        };
    extent = (int) all;
    selected = (int) Math.floor(options.density() * extent);
    long[] shape =
        switch (choice) {
          case COLUMNS -> new long[] {rows, selected};
          case ROWS -> new long[] {selected, columns};
          case ELEMENTS -> new long[] {selected};
        };
    String label = label(0, parameter);
    first = state(label, "m", Content.SIGNED, shape);
    second = state(label, "v", Content.NON_NEGATIVE, shape);
    firstFloats = new Unpacking(this, first.elements()).f32(first, shape);
    secondFloats = new Unpacking(this, second.elements()).f32(second, shape);
    place = keep(label, "place", allocate(DType.I32, extent));
  }

  /** How many are chosen. */
  public int selected() {
    return selected;
  }

  /**
   * The choice of the next step, in the order in which moments are kept; takes the place of a draw.
   *
   * @param numbers of columns, rows or elements, all different
   * @throws IllegalStateException if none is due
   */
  public void choose(int... numbers) {
    if (numbers.length != selected) {
      throw new IllegalArgumentException(
          numbers.length + " numbers: expected " + selected + ", the density's part of " + extent);
    }
    int[] places = new int[extent];
    Arrays.fill(places, -1);
    for (int i = 0; i < numbers.length; i++) {
      Range.check("number", numbers[i], numbers[i] >= 0 && numbers[i] < extent, "0 to " + extent);
      if (places[numbers[i]] >= 0) {
        throw new IllegalArgumentException("number " + numbers[i] + " is there twice");
      }
      places[numbers[i]] = i;
    }
    enter();
    try {
      expectDue();
      put(places);
    } finally {
      leave();
    }
  }

  private void put(int[] places) {
    ByteBuffer buffer =
        ByteBuffer.allocateDirect(places.length * Integer.BYTES).order(ByteOrder.nativeOrder());
    buffer.asIntBuffer().put(places);
    engine.write(place, 0, buffer);
    chose(options.resetStatistics());
    if (options.resetStatistics()) {
      clear(first);
      clear(second);
    }
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
        int[] places = new int[extent];
        Arrays.fill(places, -1);
        int[] numbers = new Permutations(seed, choiceNumber()).first(extent, selected);
        for (int i = 0; i < numbers.length; i++) {
          places[numbers[i]] = i;
        }
        put(places);
      }
      long j = begin();
      int selection =
          switch (choice) {
            case COLUMNS -> FrugalCall.COLUMNS;
            case ROWS -> FrugalCall.ROWS;
            case ELEMENTS -> FrugalCall.ELEMENTS;
          };
      FrugalCall.run(
          engine,
          options,
          lr,
          j,
          selection,
          columns,
          selected,
          parameter.value(),
          parameter.gradient(),
          firstFloats.open(),
          secondFloats.open(),
          place);
      firstFloats.close();
      secondFloats.close();
      stepped();
    } finally {
      leave();
    }
  }

  /** The first moments of what is chosen: a view that lives as long as this. */
  public Tensor momentum() {
    return open(first.tensor());
  }

  /** The second moments of what is chosen: a view that lives as long as this. */
  public Tensor secondMoment() {
    return open(second.tensor());
  }
}
