package org.fettle.merge;

import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.MergeCalls;

/**
 * Linear combination of models or checkpoints: {@code sum of c_k w_k}, in one pass over any number
 * of models.
 *
 * <p>Sources: uniform soup, mlfoundations/model-soups (arXiv:2203.05482); combination of
 * checkpoints, LCSC (arXiv:2404.02241), with coefficients of any sign, found by {@link
 * CheckpointSearch}.
 */
public final class LinearCombination {
  private LinearCombination() {}

  /**
   * Combines one tensor of every model.
   *
   * @param models tensors of one shape, F32, BF16 or F16; at least one
   * @param coefficients finite, one per model
   * @param out of the same shape; may be one of the models
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public static void combine(
      Backend backend, List<Tensor> models, double[] coefficients, Tensor out) {
    new Models(backend, models, 1, out).done();
    Models.numbers("coefficients", coefficients, models.size());
    MergeCalls.combine(Access.engine(backend), models, coefficients.clone(), 0.0, out);
  }

  /** The uniform soup: the mean of the models. */
  public static void mean(Backend backend, List<Tensor> models, Tensor out) {
    new Models(backend, models, 1, out).done();
    double[] coefficients = new double[models.size()];
    Arrays.fill(coefficients, 1.0 / models.size());
    MergeCalls.combine(Access.engine(backend), models, coefficients, 0.0, out);
  }
}
