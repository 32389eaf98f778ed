package org.fettle.sparsity;

import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.PenaltyKernels;
import org.fettle.internal.kernels.ScoreKernels;

/**
 * The polarization regulariser of batch-normalization scales: {@code lambda (t sum |g| - sum |g -
 * alpha mean|)} over all layers, which draws scales to 0 or away from it (Zhuang et al. 2020).
 * After the step the caller clamps scales to [0, 1].
 *
 * @param lambda &gt;= 0; 1e-4 in the authors' code
 * @param t the weight of the magnitudes; 1 by default
 * @param alpha the weight of the mean; 1 by default
 */
public record Polarization(double lambda, double t, double alpha) {
  /** Checks the numbers. */
  public Polarization {
    Range.nonNegative("lambda", lambda);
    Range.nonNegative("t", t);
    Range.nonNegative("alpha", alpha);
  }

  /**
   * The gradient by every scale.
   *
   * @param scales F32, all layers
   * @param gradients F32 of their shapes
   * @param add whether to add to what is there
   * @return the loss
   */
  public double gradient(
      Backend backend, List<Tensor> scales, List<Tensor> gradients, boolean add) {
    if (gradients.size() != scales.size()) {
      throw new IllegalArgumentException(
          gradients.size() + " gradients: expected " + scales.size() + ", as many as scales");
    }
    TensorChecks checks = new TensorChecks(backend);
    long all = 0;
    for (int i = 0; i < scales.size(); i++) {
      checks.reads("scales " + i, scales.get(i), DType.F32);
      checks.writes("gradient " + i, gradients.get(i), DType.F32);
      checks.like("gradient " + i, gradients.get(i), scales.get(i));
      all += scales.get(i).elements();
    }
    Range.check("number of scales", all, all > 0, "> 0");
    Engine engine = checks.done();
    double centre = alpha * (sums(engine, scales, 0)[0] / (double) all);
    double[] sums = sums(engine, scales, centre);
    double share = alpha / (double) all * sums[3];
    for (int i = 0; i < scales.size(); i++) {
      long n = scales.get(i).elements();
      engine.run(
          new KernelCall(PenaltyKernels.POLARIZATION_GRADIENT)
              .arrays(scales.get(i), gradients.get(i))
              .integers(n, add ? 1 : 0)
              .numbers(centre, lambda, t, share)
              .units(Selector.units(n, ScoreKernels.UNIT), n));
    }
    return lambda * (t * sums[1] - sums[2]);
  }

  /** Clamps scales to [0, 1] in place, as it is done after every step. */
  public static void clamp(Backend backend, Tensor scales) {
    Engine engine = new TensorChecks(backend).writes("scales", scales, DType.F32).done();
    engine.run(
        new KernelCall(PenaltyKernels.CLAMP_SCALES)
            .arrays(scales)
            .integers(scales.elements())
            .units(Selector.units(scales.elements(), ScoreKernels.UNIT), scales.elements()));
  }

  private static double[] sums(Engine engine, List<Tensor> scales, double centre) {
    double[] totals = new double[4];
    for (Tensor one : scales) {
      long units = Selector.units(one.elements(), ScoreKernels.UNIT);
      try (Scratch scratch = new Scratch(engine)) {
        Tensor sums = scratch.tensor(DType.F64, 4 * units);
        engine.run(
            new KernelCall(PenaltyKernels.POLARIZATION_SUMS)
                .arrays(one, sums)
                .integers(one.elements())
                .numbers(centre)
                .units(units, one.elements()));
        double[] parts = scratch.doubles(sums);
        for (int i = 0; i < parts.length; i++) {
          totals[i % 4] += parts[i];
        }
      }
    }
    return totals;
  }
}
