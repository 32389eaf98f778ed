package org.fettle.internal.algebra;

/**
 * The smallest value of a quadratic form above lower bounds, by the active sets of Lawson and
 * Hanson: exact but for rounding, where a solver that stops at a tolerance misses multipliers near
 * 0. For few unknowns.
 */
public final class BoundedQuadratic {
  private static final double NEGLIGIBLE = 1e-15;

  private final Matrix form;
  private final double[] low;
  private final double[] excess;
  private final boolean[] free;
  private final boolean[] refused;

  private BoundedQuadratic(Matrix form, double[] low) {
    this.form = form;
    this.low = low;
    excess = new double[low.length];
    free = new boolean[low.length];
    refused = new boolean[low.length];
  }

  /** The v that makes v' h v smallest with every v[i] at least low[i]; h is positive definite. */
  public static double[] smallestAbove(Matrix h, double[] low) {
    return new BoundedQuadratic(h, low).solved();
  }

  private double[] solved() {
    int n = low.length;
    // Every round lets one bound go; far fewer than these do in practice.
    for (int round = 0; round < 100 * (n + 1); round++) {
      int steepest = steepest();
      if (steepest < 0) {
        return at();
      }
      free[steepest] = true;
      double[] target = minimum();
      if (target[steepest] <= 0) {
        // Its slope was nothing but rounding.
        free[steepest] = false;
        refused[steepest] = true;
        continue;
      }
      while (!walk(target)) {
        target = minimum();
      }
      java.util.Arrays.fill(refused, false);
    }
    throw new ArithmeticException("the quadratic programme does not settle");
  }

  private double[] at() {
    double[] v = low.clone();
    for (int i = 0; i < v.length; i++) {
      v[i] += excess[i];
    }
    return v;
  }

  /** The bound along whose inside the form falls most, or -1 if it rises at all of them. */
  private int steepest() {
    double[] v = at();
    int best = -1;
    double most = 0;
    for (int i = 0; i < v.length; i++) {
      double slope = 0;
      double size = 0;
      for (int j = 0; j < v.length; j++) {
        double term = form.get(i, j) * v[j];
        slope -= term;
        size += Math.abs(term);
      }
      if (!free[i] && !refused[i] && slope > Math.max(most, NEGLIGIBLE * size)) {
        most = slope;
        best = i;
      }
    }
    return best;
  }

  /** The excess over the bounds where the form is smallest, the unfree ones at theirs. */
  private double[] minimum() {
    int n = low.length;
    int count = 0;
    int[] numbers = new int[n];
    for (int i = 0; i < n; i++) {
      if (free[i]) {
        numbers[count++] = i;
      }
    }
    Matrix square = Matrix.zeros(count, count);
    Matrix right = Matrix.zeros(count, 1);
    for (int a = 0; a < count; a++) {
      for (int b = 0; b < count; b++) {
        square.set(a, b, form.get(numbers[a], numbers[b]));
      }
      double slope = 0;
      for (int j = 0; j < n; j++) {
        slope -= form.get(numbers[a], j) * low[j];
      }
      right.set(a, 0, slope);
    }
    Matrix solution = Algebra.host().solve(square, right);
    if (solution == null) {
      throw new ArithmeticException("the quadratic form is not positive definite");
    }
    double[] target = new double[n];
    for (int a = 0; a < count; a++) {
      target[numbers[a]] = solution.get(a, 0);
    }
    return target;
  }

  /** Goes to the target, or to the first bounds on the way there, which then hold. */
  private boolean walk(double[] target) {
    int n = low.length;
    double part = 1;
    int first = -1;
    for (int i = 0; i < n; i++) {
      if (free[i] && target[i] <= 0) {
        double here = excess[i] / (excess[i] - target[i]);
        if (first < 0 || here < part) {
          part = here;
          first = i;
        }
      }
    }
    for (int i = 0; i < n; i++) {
      if (free[i]) {
        excess[i] += part * (target[i] - excess[i]);
        if (i == first || excess[i] <= 0) {
          excess[i] = 0;
          free[i] = false;
        }
      }
    }
    return first < 0;
  }
}
