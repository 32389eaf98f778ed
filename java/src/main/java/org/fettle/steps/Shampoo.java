package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.CallChecks;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * Shampoo for matrices: the gradient between inverse roots of what its rows and columns have summed
 * up to.
 *
 * <pre>
 * L = L + g g' ;  R = R + g' g      (beta &lt; 1: L = beta * L + (1 - beta) * g g', R likewise; both start at eps I)
 * p = p * (1 - lr * wd) - lr * L^exponent g R^exponent
 * </pre>
 *
 * <p>Statistics, roots (by eigenvalues) and products are double; eigenvalues below 1e-10 of the
 * largest are raised to that. Within 1e-6 of an exact evaluation. Roots are taken anew every {@code
 * refresh} steps; where statistics are not finite the old ones stay, which {@link #staleRoots}
 * counts. Source: arXiv:1802.09568, algorithm 1.
 */
public final class Shampoo extends StepObject {
  private static final double FLOOR = 1e-10;

  private final Options options;
  private final Products products;
  private final List<One> tensors = new ArrayList<>();
  private long staleRoots;

  /**
   * The hyperparameters.
   *
   * @param lr learning rate, finite and at least 0; default 0.1
   * @param beta in (0, 1]: 1 sums, less averages; default 1
   * @param eps where the statistics start, positive; default 1e-4
   * @param exponent of either side, below 0; default -1/4
   * @param weightDecay finite and at least 0; default 0
   * @param refresh steps between two computations of the roots, at least 1; default 1
   */
  public record Options(
      double lr, double beta, double eps, double exponent, double weightDecay, long refresh) {
    /** Checks the hyperparameters. */
    public Options {
      Range.nonNegative("lr", lr);
      Range.check("beta", beta, beta > 0 && beta <= 1, "in (0, 1]");
      Range.positive("eps", eps);
      Range.check("exponent", exponent, exponent < 0 && exponent >= -1, "in [-1, 0)");
      Range.nonNegative("weightDecay", weightDecay);
      Range.check("refresh", refresh, refresh >= 1, ">= 1");
    }

    /** The defaults. */
    public Options() {
      this(0.1, 1, 1e-4, -0.25, 0, 1);
    }
  }

  /** What belongs to one tensor. */
  private final class One {
    final Parameter parameter;
    final MatrixShape shape;
    final Tensor direction;
    Matrix left;
    Matrix right;
    Matrix leftRoot;
    Matrix rightRoot;
    long steps;

    One(Parameter parameter, MatrixShape shape) {
      this.parameter = parameter;
      this.shape = shape;
      direction = allocate(parameter.value().shape());
      left = Matrix.diagonal(shape.rows(), options.eps);
      right = Matrix.diagonal(shape.columns(), options.eps);
    }

    void step(double lr) {
      Matrix g = Matrix.of(engine, parameter.gradient(), shape.rows(), shape.columns());
      double keep = options.beta;
      double take = options.beta < 1 ? 1.0 - options.beta : 1.0;
      left.mix(keep, take, products.multiply(g, false, g, true));
      right.mix(keep, take, products.multiply(g, true, g, false));
      if (steps % options.refresh == 0) {
        leftRoot = root(left, leftRoot);
        rightRoot = root(right, rightRoot);
      }
      steps++;
      Matrix u = products.multiply(products.multiply(leftRoot, g), rightRoot);
      u.writeTo(engine, direction);
      Matrix p = Matrix.of(engine, parameter.value(), shape.rows(), shape.columns());
      p.mix(1.0 - lr * options.weightDecay, -lr, u).writeTo(engine, parameter.value());
    }

    private Matrix root(Matrix statistics, Matrix old) {
      if (!statistics.isFinite()) {
        staleRoots++;
        return old == null ? Matrix.diagonal(statistics.rows(), 1) : old;
      }
      return power(products, statistics, options.exponent);
    }
  }

  /** A step over these matrices. */
  public Shampoo(Backend backend, Options options, List<Parameter> parameters) {
    super(backend);
    this.options = Objects.requireNonNull(options, "options");
    CallChecks checks = check(parameters);
    List<MatrixShape> shapes = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      shapes.add(MatrixShape.of("tensor " + i, parameters.get(i).value()));
    }
    checks.done();
    products = Products.of(engine);
    for (int i = 0; i < parameters.size(); i++) {
      tensors.add(new One(parameters.get(i), shapes.get(i)));
    }
  }

  /** A power of a symmetric positive definite matrix. */
  static Matrix power(Products products, Matrix symmetric, double exponent) {
    Algebra.Eigen eigen = products.algebra().eigen(symmetric);
    double[] powers = new double[eigen.values().length];
    for (int i = 0; i < powers.length; i++) {
      powers[i] = Math.pow(Math.max(eigen.values()[i], FLOOR * eigen.values()[0]), exponent);
    }
    return products.multiply(
        eigen.vectors().copy().scaleColumns(powers), false, eigen.vectors(), true);
  }

  /** One step with the learning rate of the options. */
  public void step() {
    step(options.lr);
  }

  /** One step with another learning rate. */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      for (One tensor : tensors) {
        tensor.step(lr);
      }
    } finally {
      leave();
    }
  }

  /** The statistics L of a tensor's rows: a copy, row by row. */
  public double[] left(int tensor) {
    return tensors.get(tensor).left.values().clone();
  }

  /** The statistics R of a tensor's columns: a copy, row by row. */
  public double[] right(int tensor) {
    return tensors.get(tensor).right.values().clone();
  }

  /** The last preconditioned gradient of a tensor: a view that lives as long as this. */
  public Tensor direction(int tensor) {
    return open(tensors.get(tensor).direction);
  }

  /** How often a root could not be taken because the statistics were not finite. */
  public long staleRoots() {
    return staleRoots;
  }

  @Override
  Stream<Matrix> matrices() {
    return tensors.stream().flatMap(t -> Stream.of(t.left, t.right, t.leftRoot, t.rightRoot));
  }
}
