package org.fettle.merge;

import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;

/**
 * The mean of K models with a layer's variance restored (arXiv:2404.04616, of which only the
 * abstract could be read): A = mean(w_k); {@code mean(A) + sqrt(v / var(A)) * (A - mean(A))} with v
 * the mean of the models' population variances. A layer with var(A) = 0 becomes A.
 */
public final class VarianceCorrectedAverage {
  private VarianceCorrectedAverage() {}

  /**
   * Averages one layer.
   *
   * @param models tensors of one shape, at least one
   * @param out of the same shape; may be one of the models
   * @return the factor that A's deviations were multiplied by; 1 where var(A) = 0 or A is empty
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public static double average(Backend backend, List<Tensor> models, Tensor out) {
    new Models(backend, models, 1, out).done();
    if (out.elements() == 0) {
      return 1;
    }
    Engine engine = Access.engine(backend);
    double target = 0;
    for (Tensor model : models) {
      target += MergeCalls.moments(engine, model)[1];
    }
    target /= models.size();
    double[] coefficients = new double[models.size()];
    Arrays.fill(coefficients, 1.0 / models.size());
    MergeCalls.combine(engine, models, coefficients, 0.0, out);
    double[] moments = MergeCalls.moments(engine, out);
    if (moments[1] == 0) {
      return 1;
    }
    double scale = Math.sqrt(target / moments[1]);
    MergeCalls.combine(engine, List.of(out), new double[] {scale}, (1 - scale) * moments[0], out);
    return scale;
  }
}
