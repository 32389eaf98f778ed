package org.fettle.merge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;

/**
 * Model Stock (arXiv:2403.19522, as arcee-ai/mergekit computes it): the mean of K fine-tuned models
 * is drawn towards the pre-trained one by how far apart they are.
 *
 * <pre>
 * d_k = w_k - w_0, in float; cos = mean over pairs of clamp(d_i.d_j / max(|d_i| |d_j|, floor), -1, 1)
 * t = K cos / (1 + (K - 1) cos);   result t * mean(w_k) + (1 - t) * w_0
 * </pre>
 *
 * <p>For K &gt; 2 the mean of pairwise cosines is that project's choice, not the paper's. The floor
 * is absolute there: a layer whose differences have norms below 1e-3 falls back to the pre-trained
 * weights. Negative cosines give t &lt; 0, and t diverges as the cosine nears -1 / (K - 1).
 *
 * @param filterWise one cosine for each row of the last axis instead of one for the tensor; default
 *     false
 * @param floor of the product of two norms, at least 0; default 1e-6
 * @param relativeFloor whether the floor is multiplied by the largest product of two norms; default
 *     false
 * @param clampsRatio whether t is limited to [0, 1]; default false
 */
public record ModelStock(
    boolean filterWise, double floor, boolean relativeFloor, boolean clampsRatio) {
  /**
   * What a merge went by.
   *
   * @param cosines one, or one per row
   * @param ratios t, likewise
   */
  public record Result(List<Double> cosines, List<Double> ratios) {}

  /** Checks the floor. */
  public ModelStock {
    Range.nonNegative("floor", floor);
  }

  /** Layer-wise, as published. */
  public ModelStock() {
    this(false, 1e-6, false, false);
  }

  /** This, by rows or not. */
  public ModelStock withFilterWise(boolean newFilterWise) {
    return new ModelStock(newFilterWise, floor, relativeFloor, clampsRatio);
  }

  /** This, with a floor relative to the largest product of two norms. */
  public ModelStock withRelativeFloor(double newFloor) {
    return new ModelStock(filterWise, newFloor, true, clampsRatio);
  }

  /** This, with t limited to [0, 1] or not. */
  public ModelStock withClampedRatio(boolean clamps) {
    return new ModelStock(filterWise, floor, relativeFloor, clamps);
  }

  /**
   * Merges one tensor.
   *
   * @param base the pre-trained tensor
   * @param models the fine-tuned ones, at least two, of its shape
   * @param out of the same shape; may be one of the models or the base
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public Result merge(Backend backend, Tensor base, List<Tensor> models, Tensor out) {
    new Models(backend, models, 2, out).reads("base", base).done();
    return merge(backend, base, models, rowLength(base), out);
  }

  /** As the other, of tensors that are checked, whose rows have that many elements. */
  Result merge(Backend backend, Tensor base, List<Tensor> models, long rowLength, Tensor out) {
    Engine engine = Access.engine(backend);
    double[][] dots = MergeCalls.dots(engine, base, models, rowLength);
    List<Double> cosines = new ArrayList<>();
    double[] ratios = new double[dots.length];
    double scale = relativeFloor ? largestProduct(dots, models.size()) : 1.0;
    for (int row = 0; row < dots.length; row++) {
      double cosine = cosine(dots[row], models.size(), floor * scale);
      cosines.add(cosine);
      ratios[row] = ratio(cosine, models.size());
    }
    blend(engine, base, models, ratios, rowLength, out);
    return new Result(cosines, Arrays.stream(ratios).boxed().toList());
  }

  private long rowLength(Tensor tensor) {
    long[] shape = tensor.shape();
    return filterWise && shape.length > 0 ? shape[shape.length - 1] : tensor.elements();
  }

  private static void blend(
      Engine engine,
      Tensor base,
      List<Tensor> models,
      double[] ratios,
      long rowLength,
      Tensor out) {
    int count = models.size();
    double[] coefficients = new double[count];
    Arrays.fill(coefficients, 1.0 / count);
    if (count <= 12) {
      MergeCalls.rowBlend(engine, models, coefficients, ratios, rowLength, base, out);
      return;
    }
    Tensor mean = engine.allocate(DType.F32, out.shape(), 0);
    try {
      MergeCalls.combine(engine, models, coefficients, 0.0, mean);
      MergeCalls.rowBlend(engine, List.of(mean), new double[] {1.0}, ratios, rowLength, base, out);
    } finally {
      engine.release(mean);
    }
  }

  private static double largestProduct(double[][] dots, int models) {
    double largest = 0;
    for (double[] row : dots) {
      for (int k = 0; k < models; k++) {
        largest = Math.max(largest, row[MergeCalls.pairIndex(models, k, k)]);
      }
    }
    return largest;
  }

  private static double cosine(double[] dots, int models, double floor) {
    double sum = 0;
    int pairs = 0;
    for (int i = 0; i < models; i++) {
      for (int j = i + 1; j < models; j++) {
        double norms =
            Math.sqrt(dots[MergeCalls.pairIndex(models, i, i)])
                * Math.sqrt(dots[MergeCalls.pairIndex(models, j, j)]);
        double divisor = Math.max(norms, floor);
        // With no floor two differences of 0 are 0 / 0: no angle, so the pre-trained weights.
        double cosine = divisor == 0 ? 0 : dots[MergeCalls.pairIndex(models, i, j)] / divisor;
        sum += Math.max(-1, Math.min(1, cosine));
        pairs++;
      }
    }
    return sum / pairs;
  }

  private double ratio(double cosine, int models) {
    double ratio = models * cosine / (1 + (models - 1) * cosine);
    return clampsRatio ? Math.max(0, Math.min(1, ratio)) : ratio;
  }
}
