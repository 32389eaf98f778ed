package org.fettle.steps;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Operand;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * FRUGAL by low rank: AdamW on a projection of the gradient, a step without state on what the
 * projection leaves.
 *
 * <pre>
 * right: s = g B', lift u B    left: s = A' g, lift A u    full: s = A' g B', lift A u B     (A: rows x r, B: r x columns)
 * m = ema(m, s, beta1) ;  v = ema(v, s * s, beta2) ;  u = -lr * a / (1 - beta1^j) * m / (sqrt(v) / sqrt(1 - beta2^j) + eps)
 * p = p * (1 - lr * wd) + lift(u) - lr * a * b * f(g - lift(s))
 * </pre>
 *
 * <p>Projections are double, their results rounded to float; what is elementwise has the same bits
 * on every backend for the same s. Where g lies in the subspace the sign of what is left is noise.
 * Within 2e-4. Source: arXiv:2411.07837; fzmushko/FRUGAL.
 */
public final class FrugalLowRank extends FrugalStep {
  private final Kind kind;
  private final long seed;
  private final Parameter parameter;
  private final Products products;
  private final int rows;
  private final int columns;
  private final int rank;
  private final boolean leftSide;
  private final boolean rightSide;
  private final Tensor subspace;
  private final Tensor step;
  private final Operand first;
  private final Operand second;
  private final Tensor liftedGradient;
  private final Tensor liftedStep;
  private final BatchRunner direction;
  private final BatchRunner update;
  private Matrix left;
  private Matrix right;

  /** How the projector comes about. */
  public enum Kind {
    /** The largest singular vectors of the gradient. */
    SVD,
    /** Random orthogonal directions. */
    RANDOM,
    /** Coordinate axes, drawn. */
    PERMUTATION
  }

  /** Which side is projected. */
  public enum Side {
    /** The shorter one's: columns where there are as many rows or more, else rows. */
    STANDARD,
    /** The other one. */
    REVERSE,
    /** Rows. */
    LEFT,
    /** Columns. */
    RIGHT,
    /** Both. */
    FULL
  }

  /**
   * A step of one matrix with moments in F32.
   *
   * @param seed of drawn projectors
   * @param parameter two axes
   */
  public FrugalLowRank(
      Backend backend,
      FrugalOptions options,
      Kind kind,
      Side side,
      long seed,
      Parameter parameter) {
    this(backend, options, StateStorage.F32, kind, side, seed, parameter);
  }

  /**
   * A step of one matrix.
   *
   * @param storage of the moments in the subspace
   * @param seed of drawn projectors
   * @param parameter two axes
   */
  public FrugalLowRank(
      Backend backend,
      FrugalOptions options,
      StateStorage storage,
      Kind kind,
      Side side,
      long seed,
      Parameter parameter) {
    super(backend, "frugal_low_rank", storage, options);
    this.kind = Objects.requireNonNull(kind, "kind");
    Objects.requireNonNull(side, "side");
    this.seed = seed;
    this.parameter = parameter;
    checkStored(List.of(parameter)).done();
    Tensor p = parameter.value();
    if (p.rank() != 2) {
      throw new IllegalArgumentException("tensor 0 is " + p + ": expected a matrix");
    }
    MatrixShape shape = MatrixShape.of("tensor 0", p);
    rows = shape.rows();
    columns = shape.columns();
    products = Products.of(engine);
    boolean tall = rows >= columns;
    rightSide =
        side == Side.RIGHT
            || side == Side.FULL
            || (side == Side.STANDARD && tall)
            || (side == Side.REVERSE && !tall);
    leftSide = side == Side.FULL || !rightSide;
    int extent = side == Side.FULL ? Math.min(rows, columns) : leftSide ? rows : columns;
    rank = (int) Math.rint(options.density() * extent);
    long[] small = {leftSide ? rank : rows, rightSide ? rank : columns};
    subspace = allocate(small);
    step = allocate(small);
    String label = label(0, parameter);
    first = state(label, "m", Content.SIGNED, small);
    second = state(label, "v", Content.NON_NEGATIVE, small);
    if (leftSide) {
      left = Matrix.zeros(rows, rank);
      keep(label, "left", () -> left, value -> left = value);
    }
    if (rightSide) {
      right = Matrix.zeros(rank, columns);
      keep(label, "right", () -> right, value -> right = value);
    }
    liftedGradient = allocate(p.shape());
    liftedStep = allocate(p.shape());
    direction =
        open(
            List.of(
                Batch.Item.of(
                    Primitive.ADAM_DIRECTION,
                    first,
                    second,
                    Operand.of(subspace),
                    first,
                    second,
                    Operand.of(step))));
    Operand stored = value(label, p);
    update =
        open(
            List.of(
                Batch.Item.of(
                    Primitive.SUBSPACE_STEP,
                    stored,
                    Operand.of(parameter.gradient()),
                    Operand.of(liftedGradient),
                    Operand.of(liftedStep),
                    stored)));
  }

  /** The rank r. */
  public int rank() {
    return rank;
  }

  /** Whether rows are projected. */
  public boolean projectsRows() {
    return leftSide;
  }

  /** Whether columns are projected. */
  public boolean projectsColumns() {
    return rightSide;
  }

  /**
   * The projector of the next step; takes the place of the kind's.
   *
   * @param newLeft A, rows x rank, row by row; null where rows are not projected
   * @param newRight B, rank x columns, row by row; null where columns are not projected
   * @throws IllegalStateException if none is due
   */
  public void choose(double[] newLeft, double[] newRight) {
    checkFactor("left", newLeft, leftSide, rows);
    checkFactor("right", newRight, rightSide, columns);
    enter();
    try {
      expectDue();
      take(
          leftSide ? new Matrix(rows, rank, newLeft.clone()) : null,
          rightSide ? new Matrix(rank, columns, newRight.clone()) : null);
    } finally {
      leave();
    }
  }

  private void checkFactor(String name, double[] factor, boolean wanted, int extent) {
    if (wanted != (factor != null) || (wanted && factor.length != extent * rank)) {
      throw new IllegalArgumentException(
          name
              + " has "
              + (factor == null ? "no" : Integer.toString(factor.length))
              + " values: expected "
              + (wanted ? Integer.toString(extent * rank) : "null"));
    }
  }

  private void take(Matrix newLeft, Matrix newRight) {
    left = newLeft;
    right = newRight;
    chose(options.resetStatistics());
    if (options.resetStatistics()) {
      clear(first);
      clear(second);
    }
  }

  private void draw() {
    int[] largest = new int[rank];
    for (int i = 0; i < rank; i++) {
      largest[i] = i;
    }
    Permutations draws = new Permutations(seed, choiceNumber());
    if (kind == Kind.SVD) {
      Algebra.Singular singular =
          products.algebra().singular(Matrix.of(engine, parameter.gradient(), rows, columns));
      take(
          leftSide ? singular.left().columnsAt(largest) : null,
          rightSide ? singular.right().columnsAt(largest).transposed() : null);
      return;
    }
    Matrix a = leftSide ? drawn(draws, rows, largest) : null;
    Matrix b = rightSide ? drawn(draws, columns, largest).transposed() : null;
    take(a, b);
  }

  private Matrix drawn(Permutations draws, int extent, int[] largest) {
    if (kind == Kind.PERMUTATION) {
      return Matrix.diagonal(extent, 1).columnsAt(draws.first(extent, rank));
    }
    Matrix normal = Matrix.zeros(extent, extent);
    for (int i = 0; i < normal.values().length; i++) {
      normal.values()[i] = draws.normal();
    }
    return products.algebra().orthogonal(normal).columnsAt(largest);
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
        draw();
      }
      long j = begin();
      Matrix g = Matrix.of(engine, parameter.gradient(), rows, columns);
      Matrix s = rightSide ? products.multiply(g, false, right, true) : g;
      s = leftSide ? products.multiply(left, true, s, false) : s;
      s.writeTo(engine, subspace);
      double[] size = FrugalCall.sizes(options, lr, j);
      factors(
          direction,
          1,
          options.beta1(),
          1.0 - options.beta1(),
          options.beta2(),
          1.0 - options.beta2(),
          -size[0],
          size[1]);
      direction.run();
      lift(s).writeTo(engine, liftedGradient);
      lift(Matrix.of(engine, step, s.rows(), s.columns())).writeTo(engine, liftedStep);
      factors(
          update,
          1,
          1.0 - lr * options.weightDecay(),
          -lr * options.selectedScale() * options.otherScale(),
          options.othersNumber());
      update.run();
      stepped();
    } finally {
      leave();
    }
  }

  private Matrix lift(Matrix small) {
    Matrix half = leftSide ? products.multiply(left, small) : small;
    return rightSide ? products.multiply(half, right) : half;
  }

  /** The first moment in the subspace: a view that lives as long as this. */
  public Tensor momentum() {
    return open(first.tensor());
  }

  /** The second moment in the subspace: a view that lives as long as this. */
  public Tensor secondMoment() {
    return open(second.tensor());
  }

  @Override
  Stream<Matrix> matrices() {
    return Stream.of(left, right);
  }
}
