package org.fettle.sparsity;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.PenaltyKernels;
import org.fettle.internal.kernels.ScoreKernels;

/**
 * Proximal operators: the minimiser of {@code |y - x|^2 / (2 step) + penalty(y)}. Input and output
 * are F32 and may be one tensor; arithmetic is in double, rounded once.
 */
public sealed interface Proximal {
  /** Applies it with a step, elementwise. */
  default void apply(Backend backend, double step, Tensor x, Tensor out) {
    Range.nonNegative("step", step);
    check(step);
    TensorChecks checks = new TensorChecks(backend).maps("x", x, "out", out, DType.F32);
    checks.like("out", out, x);
    double[] numbers = numbers();
    checks
        .done()
        .run(
            new KernelCall(PenaltyKernels.PROXIMAL)
                .arrays(x, out)
                .integers(x.elements(), kind())
                .numbers(step, numbers[0], numbers[1])
                .units(Selector.units(x.elements(), ScoreKernels.UNIT), x.elements()));
  }

  /** The kernel's number of this operator. */
  int kind();

  /** Lambda, and a or gamma. */
  double[] numbers();

  /** Refuses a step that is too long. */
  default void check(double step) {}

  /**
   * Of {@code lambda |x|}: soft thresholding.
   *
   * @param lambda &gt;= 0
   */
  record Soft(double lambda) implements Proximal {
    /** Checks lambda. */
    public Soft {
      Range.nonNegative("lambda", lambda);
    }

    @Override
    public int kind() {
      return 0;
    }

    @Override
    public double[] numbers() {
      return new double[] {lambda, 0};
    }
  }

  /**
   * Of the smoothly clipped absolute deviation.
   *
   * @param lambda &gt;= 0
   * @param a more than 1 + step; 3.7 is usual
   */
  record Scad(double lambda, double a) implements Proximal {
    /** Checks the numbers. */
    public Scad {
      Range.nonNegative("lambda", lambda);
      Range.positive("a", a);
    }

    @Override
    public int kind() {
      return 1;
    }

    @Override
    public double[] numbers() {
      return new double[] {lambda, a};
    }

    @Override
    public void check(double step) {
      Range.check("a", a, a > 1 + step, "more than 1 + step = " + (1 + step));
    }
  }

  /**
   * Of the minimax concave penalty.
   *
   * @param lambda &gt;= 0
   * @param gamma more than the step
   */
  record Mcp(double lambda, double gamma) implements Proximal {
    /** Checks the numbers. */
    public Mcp {
      Range.nonNegative("lambda", lambda);
      Range.positive("gamma", gamma);
    }

    @Override
    public int kind() {
      return 2;
    }

    @Override
    public double[] numbers() {
      return new double[] {lambda, gamma};
    }

    @Override
    public void check(double step) {
      Range.check("gamma", gamma, gamma > step, "more than step = " + step);
    }
  }

  /**
   * Of {@code mu} per entry that is not 0: hard thresholding, {@code x} where {@code x^2 > 2 step
   * mu}.
   *
   * @param mu &gt;= 0
   */
  record Hard(double mu) implements Proximal {
    /** Checks mu. */
    public Hard {
      Range.nonNegative("mu", mu);
    }

    @Override
    public int kind() {
      return 3;
    }

    @Override
    public double[] numbers() {
      return new double[] {mu, 0};
    }
  }

  /**
   * Of {@code lambda} times the length of every group of consecutive entries: {@code x max(0, 1 -
   * step lambda / |x|)}.
   *
   * @param size entries of a group, which divides the elements
   */
  static void group(Backend backend, double step, double lambda, int size, Tensor x, Tensor out) {
    Range.nonNegative("step", step);
    Range.nonNegative("lambda", lambda);
    Range.check("group size", size, size >= 1, ">= 1");
    TensorChecks checks = new TensorChecks(backend).maps("x", x, "out", out, DType.F32);
    checks.like("out", out, x);
    if (x.elements() % size != 0) {
      throw new IllegalArgumentException(
          "x is " + x + ": expected a multiple of the group size " + size);
    }
    checks
        .done()
        .run(
            new KernelCall(PenaltyKernels.PROXIMAL_GROUP)
                .arrays(x, out)
                .integers(size)
                .numbers(step * lambda)
                .units(x.elements() / size, x.elements()));
  }
}
