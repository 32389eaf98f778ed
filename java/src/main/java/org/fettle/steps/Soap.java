package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.fettle.Arithmetic;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Range;
import org.fettle.StateStorage;
import org.fettle.Tensor;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Operand;
import org.fettle.internal.algebra.Algebra;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * SOAP: Adam in the slowly turning eigenbasis of Shampoo's statistics.
 *
 * <pre>
 * first call: L = (1 - s) g g', R = (1 - s) g' g, Q = eigenvectors, largest first; nothing else
 * m = ema(m, g, beta1) ;  v = ema(v, (QL' g QR)^2, beta2) ;  u = QL ((QL' m QR) / (sqrt(v) + eps)) QR'
 * normalize: u = u / (1e-30 + rms(u)) ;  p = p - lr * sqrt(1 - beta2^j) / (1 - beta1^j) * u ;  p = p - lr * wd * p
 * L = ema(L, g g', s) ;  R likewise ;  every f calls: Q sorted by diag(Q' L Q), v permuted with it, Q = qr(L Q)
 * </pre>
 *
 * <p>m is kept in the original basis, where it need not be turned; v is never turned, only
 * permuted. A side longer than {@code maxDimension}, or a tensor of one axis, keeps the identity.
 * Basis and products are double, m and v float32; within 2e-4. The null space of a first gradient
 * that is not square is arbitrary, so that two correct implementations may then differ. Source:
 * arXiv:2409.11321; nikhilvyas/SOAP.
 */
public final class Soap extends SavedStep {
  private final SoapOptions options;
  private final Products products;
  private final boolean turnedMoment;
  private final List<One> tensors = new ArrayList<>();

  /** One side of a matrix: its statistics and their basis; none where it keeps the identity. */
  private static final class Side {
    Matrix statistics;
    Matrix basis;

    Side(int extent) {
      statistics = Matrix.zeros(extent, extent);
      basis = Matrix.zeros(extent, extent);
    }
  }

  /** What belongs to one tensor. */
  private final class One {
    final Parameter parameter;
    final MatrixShape shape;
    final Operand m;
    final Operand v;
    final Unpacking.Unpacked firstFloats;
    final Unpacking.Unpacked secondFloats;
    final Unpacking.Unpacked values;
    final Side left;
    final Side right;

    One(String label, Parameter parameter, MatrixShape shape, List<Unpacking> room) {
      this.parameter = parameter;
      this.shape = shape;
      long[] extents = parameter.value().shape();
      m = state(label, "m", Content.SIGNED, extents);
      v = state(label, "v", Content.NON_NEGATIVE, extents);
      firstFloats = room.get(0).of(m, extents);
      secondFloats = room.get(1).of(v, extents);
      values = room.get(2).of(value(label, parameter.value()), extents);
      boolean matrix = parameter.value().rank() >= 2;
      left = matrix && shape.rows() <= options.maxDimension() ? new Side(shape.rows()) : null;
      right =
          matrix && shape.columns() <= options.maxDimension() ? new Side(shape.columns()) : null;
      keep(label, "left", left);
      keep(label, "right", right);
    }

    private void keep(String label, String name, Side side) {
      if (side != null) {
        Soap.this.keep(
            label, name + "_statistics", () -> side.statistics, to -> side.statistics = to);
        Soap.this.keep(label, name + "_basis", () -> side.basis, to -> side.basis = to);
      }
    }

    void step(double lr) {
      Matrix g = Matrix.of(engine, parameter.gradient(), shape.rows(), shape.columns());
      double take = 1.0 - options.statisticsBeta();
      if (steps() == 0) {
        begin(left, gram(g, true).scale(take));
        begin(right, gram(g, false).scale(take));
        return;
      }
      long j = steps();
      double beta1 = options.beta1();
      double beta2 = options.beta2();
      Matrix first = Matrix.of(engine, firstFloats.open(), shape.rows(), shape.columns());
      Matrix turned = turn(g, true);
      first.mix(beta1, 1.0 - beta1, turnedMoment ? turned : g);
      Matrix second = Matrix.of(engine, secondFloats.open(), shape.rows(), shape.columns());
      Matrix u = turnedMoment ? first.copy() : turn(first, true);
      for (int i = 0; i < u.values().length; i++) {
        double x = turned.values()[i];
        second.values()[i] = beta2 * second.values()[i] + (1.0 - beta2) * x * x;
        u.values()[i] /= Math.sqrt(second.values()[i]) + options.eps();
      }
      u = turn(u, false);
      if (options.normalize() && u.values().length > 0) {
        u.scale(1.0 / (1e-30 + u.norm() / Math.sqrt(u.values().length)));
      }
      double size = lr;
      if (options.correctBias()) {
        size *= Math.sqrt(1.0 - Arithmetic.power(beta2, j)) / (1.0 - Arithmetic.power(beta1, j));
      }
      Matrix p = Matrix.of(engine, values.open(), shape.rows(), shape.columns());
      p.mix(1, -size, u).scale(1.0 - lr * options.weightDecay());
      p.writeTo(engine, values.tensor);
      values.close();
      if (left != null) {
        left.statistics.mix(1.0 - take, take, gram(g, true));
      }
      if (right != null) {
        right.statistics.mix(1.0 - take, take, gram(g, false));
      }
      if (j % options.frequency() == 0) {
        first = turnedMoment ? turn(first, false) : first;
        second = refresh(left, second, true);
        second = refresh(right, second, false);
        first = turnedMoment ? turn(first, true) : first;
      }
      first.writeTo(engine, firstFloats.tensor);
      firstFloats.close();
      second.writeTo(engine, secondFloats.tensor);
      secondFloats.close();
    }

    private Matrix gram(Matrix g, boolean ofRows) {
      if ((ofRows ? left : right) == null) {
        return Matrix.zeros(0, 0);
      }
      return products.multiply(g, !ofRows, g, ofRows);
    }

    private void begin(Side side, Matrix statistics) {
      if (side != null) {
        side.statistics = statistics;
        side.basis = products.algebra().eigen(statistics).vectors();
      }
    }

    /** Into the basis, or back. */
    private Matrix turn(Matrix x, boolean into) {
      Matrix half = left == null ? x : products.multiply(left.basis, into, x, false);
      Matrix whole = right == null ? half : products.multiply(half, false, right.basis, !into);
      return whole == x ? x.copy() : whole;
    }

    private Matrix refresh(Side side, Matrix second, boolean ofRows) {
      if (side == null) {
        return second;
      }
      Matrix moved = products.multiply(side.statistics, side.basis);
      int n = side.basis.rows();
      double[] estimates = new double[n];
      for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
          estimates[i] += side.basis.get(k, i) * moved.get(k, i);
        }
      }
      int[] order = Algebra.descending(estimates);
      side.basis = products.algebra().orthogonal(moved.columnsAt(order));
      return ofRows ? second.rowsAt(order) : second.columnsAt(order);
    }
  }

  /** A step over tensors of one or two axes with moments in F32, which start at 0. */
  public Soap(Backend backend, SoapOptions options, List<Parameter> parameters) {
    this(backend, options, StateStorage.F32, parameters);
  }

  /**
   * A step over tensors of one or two axes; moments start at 0.
   *
   * @param storage of the moments, which are decoded to F32 for the time of a step where they are
   *     stored by blocks; in other formats than F32 m is kept in the basis too, since its rounding
   *     must not reach directions where v is small
   */
  public Soap(
      Backend backend, SoapOptions options, StateStorage storage, List<Parameter> parameters) {
    super(backend, "soap", storage);
    turnedMoment = storage.isRounded();
    this.options = Objects.requireNonNull(options, "options");
    CallChecks checks = checkStored(parameters);
    List<MatrixShape> shapes = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      Tensor p = parameters.get(i).value();
      if (p.rank() == 1) {
        shapes.add(new MatrixShape(1, Math.toIntExact(p.elements())));
      } else if (p.rank() == 2) {
        shapes.add(MatrixShape.of("tensor " + i, p));
      } else {
        throw new IllegalArgumentException(
            "tensor " + i + " is " + p + ": expected one axis or two; view it as a matrix");
      }
    }
    checks.done();
    products = Products.of(engine);
    long elements = parameters.stream().mapToLong(one -> one.value().elements()).max().orElse(0);
    List<Unpacking> room = Stream.generate(() -> new Unpacking(this, elements)).limit(3).toList();
    for (int i = 0; i < parameters.size(); i++) {
      Parameter one = parameters.get(i);
      tensors.add(new One(label(i, one), one, shapes.get(i), room));
    }
  }

  /** One call with the learning rate of the options; the first only looks. */
  public void step() {
    step(options.lr());
  }

  /** One call with another learning rate; the first only looks. */
  public void step(double lr) {
    Range.nonNegative("lr", lr);
    enter();
    try {
      for (One tensor : tensors) {
        tensor.step(lr);
      }
      stepped();
    } finally {
      leave();
    }
  }

  /** The statistics L of a matrix's rows: a copy; empty where the side keeps the identity. */
  public double[] left(int tensor) {
    return statistics(tensors.get(tensor).left);
  }

  /** The statistics R of a matrix's columns: a copy; empty where the side keeps the identity. */
  public double[] right(int tensor) {
    return statistics(tensors.get(tensor).right);
  }

  private static double[] statistics(Side side) {
    return side == null ? new double[0] : side.statistics.values().clone();
  }

  /**
   * The first moment of a tensor, in the original basis if it is stored in F32 and else in the
   * eigenbasis: a view that lives as long as this.
   */
  public Tensor momentum(int tensor) {
    return open(tensors.get(tensor).m.tensor());
  }

  /** The second moment of a tensor in the basis: a view that lives as long as this. */
  public Tensor secondMoment(int tensor) {
    return open(tensors.get(tensor).v.tensor());
  }

  @Override
  Stream<Matrix> matrices() {
    return tensors.stream()
        .flatMap(tensor -> Stream.of(tensor.left, tensor.right))
        .filter(Objects::nonNull)
        .flatMap(side -> Stream.of(side.statistics, side.basis));
  }
}
