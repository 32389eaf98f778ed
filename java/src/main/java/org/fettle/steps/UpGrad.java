package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.Engine;
import org.fettle.internal.Primitive;
import org.fettle.internal.algebra.BoundedQuadratic;
import org.fettle.internal.algebra.Matrix;

/**
 * UPGrad: one direction for several objectives that makes none of them worse: every gradient is
 * projected onto the dual cone of all, and the projections are added.
 *
 * <pre>
 * H = J J' ;  H = (tr H &lt; normEps ? 0 : H / tr H) + regEps I
 * v_i = argmin v' H v with v &gt;= preference_i e_i ;  weights = sum of v_i ;  direction = weights' J
 * </pre>
 *
 * <p>Inner products in double in the fixed order; the m quadratic programmes in double on the host;
 * the direction added in double and rounded once. Gradients whose squares add up to less than
 * normEps get the preferences themselves: an absolute threshold. Source: arXiv:2406.16232;
 * TorchJD/torchjd.
 */
public final class UpGrad {
  private final double normEps;
  private final double regEps;
  private final double[] preferences;

  /** The defaults for m objectives: 1e-4, 1e-4, preferences 1 / m. */
  public UpGrad(int objectives) {
    this(1e-4, 1e-4, uniform(objectives));
  }

  /**
   * With other numbers.
   *
   * @param normEps trace below which gradients count as zero, finite and at least 0
   * @param regEps added to the diagonal, positive
   * @param preferences one per objective, finite and at least 0
   */
  public UpGrad(double normEps, double regEps, double... preferences) {
    Range.nonNegative("normEps", normEps);
    Range.positive("regEps", regEps);
    if (preferences.length == 0) {
      throw new IllegalArgumentException("no preferences: expected one per objective");
    }
    for (double preference : preferences) {
      Range.nonNegative("preference", preference);
    }
    this.normEps = normEps;
    this.regEps = regEps;
    this.preferences = preferences.clone();
  }

  private static double[] uniform(int objectives) {
    Range.check("objectives", objectives, objectives >= 1, ">= 1");
    double[] preferences = new double[objectives];
    java.util.Arrays.fill(preferences, 1.0 / objectives);
    return preferences;
  }

  /**
   * The direction.
   *
   * @param gradients J: objectives x elements, F32
   * @param output receives the direction: as many elements
   * @return the projections' weights, row by row: row i is v_i
   */
  public double[] direction(Backend backend, Tensor gradients, Tensor output) {
    Access.checks(backend).reads("gradients", gradients).writes("output", output).done();
    Kernels.f32("gradients", gradients);
    Kernels.f32("output", output);
    int m = preferences.length;
    if (gradients.rank() < 1
        || gradients.shape()[0] != m
        || gradients.elements() != m * output.elements()) {
      throw new IllegalArgumentException(
          "gradients is " + gradients + ": expected " + m + " rows of " + output.elements());
    }
    Engine engine = Access.engine(backend);
    double[] weights = weights(gram(engine, gradients, m));
    double[] sums = new double[m];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < m; j++) {
        sums[j] += weights[i * m + j];
      }
    }
    new RowCombination(engine, gradients).run(sums, 1, output);
    return weights;
  }

  /** All inner products of the rows, each pair once. */
  static Matrix gram(Engine engine, Tensor rows, int m) {
    List<Batch.Item> items = new ArrayList<>();
    for (int i = 0; i < m; i++) {
      for (int j = 0; j <= i; j++) {
        items.add(Batch.Item.of(Primitive.DOT, Shapes.row(rows, i), Shapes.row(rows, j)));
      }
    }
    double[] sums = Kernels.sums(engine, items);
    Matrix gram = Matrix.zeros(m, m);
    int at = 0;
    for (int i = 0; i < m; i++) {
      for (int j = 0; j <= i; j++, at++) {
        gram.set(i, j, sums[at]);
        gram.set(j, i, sums[at]);
      }
    }
    return gram;
  }

  private double[] weights(Matrix gram) {
    int m = preferences.length;
    double trace = gram.trace();
    if (!gram.isFinite()) {
      throw new IllegalArgumentException("gradients are not finite: expected finite ones");
    }
    gram.scale(trace < normEps ? 0.0 : 1.0 / trace).addToDiagonal(regEps);
    double[] weights = new double[m * m];
    for (int i = 0; i < m; i++) {
      double[] low = new double[m];
      low[i] = preferences[i];
      System.arraycopy(BoundedQuadratic.smallestAbove(gram, low), 0, weights, i * m, m);
    }
    return weights;
  }
}
