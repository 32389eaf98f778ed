package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * StatsQ, and the freezing of confidence-guided annealing (CGA), of Oscillation-free Quantization
 * for Low-bit Vision Transformers (arXiv:2302.02210). The scale of a row of the first axis is
 * {@code 2 mean|w|}, that of a tensor of three axes the same over the first and the last: one per
 * entry of the second. Levels are half-integers. The gradient passes unchanged.
 *
 * @param bits 2 to 8; one bit would have a third level
 */
public record StatisticsQuantizer(int bits) {
  /** Checks the bits. */
  public StatisticsQuantizer {
    Range.check("bits", bits, bits >= 2 && bits <= 8, "2 to 8");
  }

  private double levels() {
    return 1 << (bits - 1);
  }

  /** Writes the scales: F32, one per row, of three axes one per entry of the second. */
  public void scales(Backend backend, Tensor weight, Tensor scales) {
    TensorChecks checks = checks(backend, weight).shape("scales", scales, count(weight));
    Engine engine =
        checks.reads("weight", weight, DType.F32).writes("scales", scales, DType.F32).done();
    RowCall rows = rows(engine, weight);
    double[] sums = rows.sums(EstimatorKernels.MAGNITUDE_SUM, 1, new double[0], weight);
    float[] values = new float[Math.toIntExact(count(weight))];
    long each = Math.max(1, values.length == 0 ? 1 : weight.elements() / values.length);
    for (int i = 0; i < values.length; i++) {
      double sum = 0.0;
      for (int row = i; row < sums.length; row += values.length) {
        sum += sums[row];
      }
      values[i] = (float) (2.0 * (sum / (double) each));
    }
    Scratch.write(engine, scales, values);
  }

  /** Quantizes with these scales; the output may be the weight. */
  public void forward(Backend backend, Tensor weight, Tensor scales, Tensor output) {
    Engine engine =
        checks(backend, weight)
            .like("output", output, weight)
            .shape("scales", scales, count(weight))
            .maps("weight", weight, "output", output, DType.F32)
            .reads("scales", scales, DType.F32)
            .done();
    try (Scratch scratch = new Scratch(engine)) {
      rows(engine, weight)
          .run(
              EstimatorKernels.STATISTICS_FORWARD,
              new double[] {levels()},
              weight,
              output,
              perRow(scratch, weight, scales));
    }
  }

  private static long count(Tensor weight) {
    return weight.shape()[weight.rank() == 3 ? 1 : 0];
  }

  /** Rows of elements that share a scale. */
  private static RowCall rows(Engine engine, Tensor weight) {
    long[] shape = weight.shape();
    return RowCall.rows(engine, weight, weight.rank() == 3 ? shape[0] * shape[1] : shape[0]);
  }

  /** The scales, as often as the first of three axes is long. */
  private static Tensor perRow(Scratch scratch, Tensor weight, Tensor scales) {
    long times = weight.rank() == 3 ? weight.shape()[0] : 1;
    if (times == 1) {
      return scales;
    }
    float[] one = Scratch.floats(scratch.engine(), scales);
    Tensor all = scratch.tensor(DType.F32, times * one.length);
    float[] values = new float[Math.toIntExact(all.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = one[i % one.length];
    }
    Scratch.write(scratch.engine(), all, values);
    return all;
  }

  /**
   * CGA: marks what is frozen with 1, and with 0 the weights that lie near a boundary between two
   * codes of the tensor.
   *
   * @param range how near, in spacings; 0.005 in the paper, at most 0.5
   * @param frozen F32, the shape of the weight
   */
  public void freeze(Backend backend, Tensor weight, Tensor scales, double range, Tensor frozen) {
    Range.check("range", range, range > 0 && range <= 0.5, "above 0, at most 0.5");
    Engine engine =
        checks(backend, weight)
            .like("frozen", frozen, weight)
            .shape("scales", scales, count(weight))
            .reads("weight", weight, DType.F32)
            .reads("scales", scales, DType.F32)
            .writes("frozen", frozen, DType.F32)
            .done();
    if (weight.elements() == 0) {
      return;
    }
    RowCall rows = rows(engine, weight);
    float low = Float.POSITIVE_INFINITY;
    float high = Float.NEGATIVE_INFINITY;
    try (Scratch scratch = new Scratch(engine)) {
      Tensor all = perRow(scratch, weight, scales);
      rows.run(EstimatorKernels.STATISTICS_CODE, new double[] {levels()}, weight, frozen, all);
      long units = RowCall.chunks(weight.elements());
      Tensor ranges = scratch.tensor(DType.F32, 2 * units);
      engine.run(
          new KernelCall(EstimatorKernels.CODE_RANGE)
              .arrays(frozen, ranges)
              .integers(weight.elements())
              .units(units, weight.elements()));
      float[] values = Scratch.floats(engine, ranges);
      for (int i = 0; i < values.length; i += 2) {
        low = Math.min(low, values[i]);
        high = Math.max(high, values[i + 1]);
      }
      rows.run(
          EstimatorKernels.CONFIDENCE_FREEZE,
          new double[] {levels(), low, high, range},
          weight,
          frozen,
          all);
    }
  }

  /** Sets the gradient to 0 where a weight is frozen. */
  public static void zeroFrozen(Backend backend, Tensor frozen, Tensor gradient) {
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, frozen)
            .reads("frozen", frozen, DType.F32)
            .writes("gradient", gradient, DType.F32)
            .done();
    RowCall.whole(engine, frozen)
        .run(EstimatorKernels.ZERO_WHERE, new double[0], frozen, gradient, gradient);
  }

  /** Puts frozen weights back to what they were: after the step, which would move them. */
  public static void restore(Backend backend, Tensor frozen, Tensor before, Tensor weight) {
    Engine engine =
        new TensorChecks(backend)
            .like("before", before, frozen)
            .like("weight", weight, frozen)
            .reads("frozen", frozen, DType.F32)
            .reads("before", before, DType.F32)
            .writes("weight", weight, DType.F32)
            .done();
    RowCall.whole(engine, frozen)
        .run(EstimatorKernels.KEEP_WHERE, new double[0], frozen, before, weight, weight);
  }

  private static TensorChecks checks(Backend backend, Tensor weight) {
    if (weight.rank() == 0) {
      throw new IllegalArgumentException("weight is " + weight + ": expected at least one axis");
    }
    return new TensorChecks(backend);
  }
}
