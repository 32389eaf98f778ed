package org.fettle.merge;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;
import org.fettle.sparsity.Fraction;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;

/**
 * Averages of sparse models that share one mask: Sparse Model Soups (ZIB-IOL/SMS) and SWAMP
 * (arXiv:2305.14852). Statistics of normalisation layers must be formed anew; that is the caller's.
 */
public final class SparseSoup {
  private SparseSoup() {}

  /** Equal coefficients for that many particles. */
  public static double[] equal(int particles) {
    Range.check("number of particles", particles, particles >= 1, ">= 1");
    double[] coefficients = new double[particles];
    Arrays.fill(coefficients, 1.0 / particles);
    return coefficients;
  }

  /**
   * {@code sum of a_k w_k}, in double in the order of the particles, rounded once.
   *
   * @param particles tensors of one shape, at least one
   * @param coefficients finite; their sum is 1 within 1e-6
   * @param masks the mask of every particle, BIT; they must be equal (SMS's code takes the last
   *     one)
   * @param out of the same shape; may be one of the particles
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public static void average(
      Backend backend,
      List<Tensor> particles,
      double[] coefficients,
      List<Tensor> masks,
      Tensor out) {
    new Models(backend, particles, 1, out).done();
    Models.numbers("coefficients", coefficients, particles.size());
    double sum = Arrays.stream(coefficients).sum();
    Range.check("sum of the coefficients", sum, Math.abs(sum - 1) <= 1e-6, "1 within 1e-6");
    Objects.requireNonNull(masks, "masks");
    if (masks.size() != particles.size()) {
      throw new IllegalArgumentException(
          masks.size() + " masks: expected " + particles.size() + ", one per particle");
    }
    checkEqual(backend, masks, out);
    MergeCalls.combine(Access.engine(backend), particles, coefficients.clone(), 0.0, out);
  }

  private static void checkEqual(Backend backend, List<Tensor> masks, Tensor out) {
    Tensor first = masks.get(0);
    if (first.dtype() != DType.BIT || !first.hasShapeOf(out)) {
      throw new IllegalArgumentException(
          "mask 0 is " + first + ": expected BIT, of the shape of " + out);
    }
    Masks on = Masks.on(backend);
    Engine engine = Access.engine(backend);
    Tensor different = engine.allocate(DType.BIT, first.shape(), 0);
    try {
      for (int k = 1; k < masks.size(); k++) {
        if (masks.get(k) == first) {
          continue;
        }
        on.xor(first, masks.get(k), different);
        long count = on.count(different);
        if (count > 0) {
          throw new IllegalArgumentException(
              "mask " + k + " differs from mask 0 in " + count + " bits: expected one mask");
        }
      }
    } finally {
      engine.release(different);
    }
  }

  /**
   * Prunes an average by magnitude among the survivors: the {@code round(fraction * kept)} smallest
   * go, halves to even. The next mask lies inside the old one.
   *
   * @param fraction of the survivors that goes, in [0, 1]
   * @param average F32, BF16 or F16
   * @param mask the shared mask, BIT
   * @param next the new mask, BIT
   * @return how many are kept
   */
  public static long prune(
      Backend backend, double fraction, Tensor average, Tensor mask, Tensor next) {
    Range.check("fraction", fraction, fraction >= 0 && fraction <= 1, "in [0, 1]");
    long kept = Masks.on(backend).count(mask);
    long left = kept - Fraction.ROUND_HALF_EVEN.of(fraction, kept);
    Selection.on(backend).inside(List.of(mask)).keepLargest(left, List.of(average), List.of(next));
    return left;
  }
}
