package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Norms;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;

/**
 * M-FAC: the natural gradient of the last m gradients.
 *
 * <pre>
 * g = g + wd * p ;  ring slot (t - 1) mod m = g ;  x = (damping I + (1 / m) sum of g_i g_i')^-1 g
 * momentum: v = ema(v, x, momentum), x = v ;  p = p - lr * x
 * with G the m gradients: x = (g - G' (m damping I + G G')^-1 G g) / damping
 * </pre>
 *
 * <p>The divisor is m from the first step on. The bracket loses about {@code log10(|g|^2 / (m
 * damping))} digits, so that G G', G g and the last combination are added in double; the products
 * are in the fixed order, and the m x m solution in double: the same bits on every backend. Norms
 * and products run over all tensors. Source: arXiv:2107.03356; IST-DASLab/M-FAC, in its exact form.
 */
public final class MFac extends SavedStep {
  private final Options options;
  private final List<Parameter> parameters;
  private final List<Tensor> windows = new ArrayList<>();
  private final List<Tensor> current = new ArrayList<>();
  private final List<Tensor> directions = new ArrayList<>();
  private final List<Operand> momenta = new ArrayList<>();
  private Matrix gram;
  private final BatchRunner reads;
  private final BatchRunner masks;
  private final BatchRunner squares;
  private final BatchRunner averages;
  private final BatchRunner moves;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 1e-3
   * @param momentum in [0, 1); default 0
   * @param weightDecay coupled, finite and at least 0; default 0
   * @param gradients m, the window, at least 1; default 1024
   * @param damping positive; default 1e-5
   * @param sparse whether entries that are 0 at the start are left out for ever; default false
   */
  public record Options(
      double lr,
      double momentum,
      double weightDecay,
      int gradients,
      double damping,
      boolean sparse) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.fraction("momentum", momentum);
      Range.nonNegative("weightDecay", weightDecay);
      Range.check("gradients", gradients, gradients >= 1, ">= 1");
      Range.positive("damping", damping);
    }

    /** The defaults. */
    public Options() {
      this(1e-3, 0, 0, 1024, 1e-5, false);
    }
  }

  /** A step over these parameters with a momentum in F32; the window starts at 0. */
  public MFac(Backend backend, Options options, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, parameters);
  }

  /**
   * A step over these parameters; the window starts at 0.
   *
   * @param storage of the momentum; the window stays F32, whose digits its products need
   */
  public MFac(Backend backend, Options options, StateStorage storage, List<Parameter> parameters) {
    super(backend, "mfac", storage);
    this.options = options;
    this.parameters = List.copyOf(parameters);
    checkStored(parameters).done();
    gram = Matrix.zeros(options.gradients, options.gradients);
    keep("window", "products", () -> gram, value -> gram = value);
    List<Batch.Item> read = new ArrayList<>();
    List<Batch.Item> mask = new ArrayList<>();
    List<Batch.Item> square = new ArrayList<>();
    List<Batch.Item> average = new ArrayList<>();
    List<Batch.Item> move = new ArrayList<>();
    List<Batch.Item> start = new ArrayList<>();
    for (Parameter parameter : parameters) {
      Tensor p = parameter.value();
      long n = p.elements();
      String label = label(current.size(), parameter);
      Operand stored = value(label, p);
      windows.add(keep(label, "gradients", allocate(options.gradients, n)));
      Tensor g = allocate(p.shape());
      Tensor x = allocate(p.shape());
      current.add(g);
      directions.add(x);
      Operand gradient = Operand.of(parameter.gradient());
      read.add(Batch.Item.of(Primitive.LINEAR, gradient, stored, Operand.of(g)));
      square.add(Batch.Item.of(Primitive.SQUARE_SUM, g));
      Operand used = Operand.of(x);
      if (options.momentum > 0) {
        used = state(label, "momentum", Content.SIGNED, p.shape());
        momenta.add(used);
        average.add(Batch.Item.of(Primitive.LINEAR, used, Operand.of(x), used));
      }
      move.add(Batch.Item.of(Primitive.ADD_SCALED, stored, used, stored));
      if (options.sparse) {
        Tensor there = keep(label, "there", allocate(p.shape()));
        start.add(Batch.Item.of(Primitive.SCALE, p, there));
        mask.add(Batch.Item.of(Primitive.WHERE_NONZERO, g, there, g));
      }
    }
    reads = open(read);
    masks = open(mask);
    squares = open(square);
    averages = open(average);
    moves = open(move);
    if (options.sparse) {
      BatchRunner copy = open(start);
      factors(copy, parameters.size(), 1);
      copy.run();
    }
  }

  /** One step with the learning rate of the options. */
  public void step() {
    step(options.lr);
  }

  /**
   * One step with another learning rate.
   *
   * @throws IllegalArgumentException for gradients that are not finite; nothing was changed
   */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      run(lr);
    } finally {
      leave();
    }
  }

  private void run(double lr) {
    int count = parameters.size();
    factors(reads, count, 1, options.weightDecay);
    reads.run();
    masks.run();
    squares.run();
    double square = total(squares, count, 0);
    if (!Double.isFinite(square)) {
      throw new IllegalArgumentException(
          "gradients have a sum of squares of " + square + ": expected a finite one");
    }
    int m = options.gradients;
    int slot = (int) (steps() % m);
    double[] products = fill(slot);
    for (int k = 0; k < m; k++) {
      gram.set(slot, k, products[k]);
      gram.set(k, slot, products[k]);
    }
    Matrix c =
        Algebra.host()
            .solve(gram.copy().addToDiagonal(m * options.damping), new Matrix(m, 1, products));
    if (c == null) {
      throw new ArithmeticException("the window's products are not positive definite");
    }
    double[] weights = c.values().clone();
    for (int k = 0; k < m; k++) {
      weights[k] = -weights[k];
    }
    for (int i = 0; i < count; i++) {
      new RowCombination(engine, windows.get(i))
          .keep(current.get(i), 1.0 / options.damping)
          .run(weights, 1.0 / options.damping, directions.get(i));
    }
    factors(averages, momenta.size(), options.momentum, 1.0 - options.momentum);
    averages.run();
    factors(moves, count, -lr);
    moves.run();
    stepped();
  }

  /** Puts the gradient into its slot; answers its products with the whole window. */
  private double[] fill(int slot) {
    int m = options.gradients;
    int count = parameters.size();
    List<Batch.Item> items = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Tensor g = Shapes.view(current.get(i), current.get(i).elements());
      Kernels.run(engine, Primitive.SCALE, new double[] {1}, g, Shapes.row(windows.get(i), slot));
    }
    for (int k = 0; k < m; k++) {
      for (int i = 0; i < count; i++) {
        Tensor g = Shapes.view(current.get(i), current.get(i).elements());
        items.add(Batch.Item.of(Primitive.DOT, Shapes.row(windows.get(i), k), g));
      }
    }
    double[] sums = Kernels.sums(engine, items);
    double[] products = new double[m];
    for (int k = 0; k < m; k++) {
      double[] parts = new double[count];
      System.arraycopy(sums, k * count, parts, 0, count);
      products[k] = Norms.sum(parts);
    }
    return products;
  }

  /** What lr multiplied in the last step: a view that lives as long as this. */
  public Tensor direction(int tensor) {
    return open(options.momentum > 0 ? momenta.get(tensor).tensor() : directions.get(tensor));
  }

  @Override
  Stream<Matrix> matrices() {
    return Stream.of(gram);
  }
}
