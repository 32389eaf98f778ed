package org.fettle.merge;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.MergeCalls;

/**
 * Merging by uncertainty-based gradient matching (UKPLab/iclr2024-model-merging, arXiv:2310.12808),
 * with diagonal Hessians or Fisher information H:
 *
 * <pre>
 * w = w_0 + a * sum over k of ((a_k H_k + a_0 H_0 + delta_0)
 *                              / (sum over j of a a_j H_j + a_0 H_0 + delta_0)) * (w_k - w_0)
 * </pre>
 *
 * <p>Where all H are 0, delta_0 = 0 makes 0 / 0, which is NaN.
 *
 * @param scales a_k, one per model, finite
 * @param scale a, finite; default 1
 * @param baseScale a_0, finite and &gt;= 0; default 1
 * @param delta delta_0, finite and &gt;= 0; default 1e-10
 */
public record GradientMatchingMerge(
    List<Double> scales, double scale, double baseScale, double delta) {
  /** Checks the numbers. */
  public GradientMatchingMerge {
    scales = List.copyOf(scales);
    scales.forEach(own -> Range.finite("scale of a model", own));
    Range.finite("scale", scale);
    Range.nonNegative("baseScale", baseScale);
    Range.nonNegative("delta", delta);
  }

  /** With scale 1 for that many models, and the defaults. */
  public GradientMatchingMerge(int models) {
    this(new ArrayList<>(Collections.nCopies(Math.max(models, 0), 1.0)), 1, 1, 1e-10);
  }

  /**
   * Merges one tensor.
   *
   * @param base the pre-trained tensor
   * @param baseHessian its H, &gt;= 0
   * @param models the fine-tuned ones, at least one
   * @param hessians their H, &gt;= 0
   * @param out of the same shape; may be one of the others
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public void merge(
      Backend backend,
      Tensor base,
      Tensor baseHessian,
      List<Tensor> models,
      List<Tensor> hessians,
      Tensor out) {
    new Models(backend, models, 1, out)
        .reads("hessian", hessians, models.size())
        .reads("base", base)
        .reads("baseHessian", baseHessian)
        .done();
    double[] own = scales.stream().mapToDouble(Double::doubleValue).toArray();
    Models.numbers("scales", own, models.size());
    MergeCalls.gradientMatch(
        Access.engine(backend),
        base,
        baseHessian,
        models,
        hessians,
        own,
        scale,
        baseScale,
        delta,
        out);
  }
}
