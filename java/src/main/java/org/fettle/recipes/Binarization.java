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
 * Binary weights: the straight-through estimator, BinaryConnect (arXiv:1511.00363) and XNOR-Net
 * (arXiv:1603.05279, the authors' code). Tensors are F32; a filter is an element of the first axis;
 * {@code sign(0) = 0}.
 */
public final class Binarization {
  private Binarization() {}

  /** {@code sign(w)}. */
  public static void sign(Backend backend, Tensor weight, Tensor output) {
    scaledSign(backend, weight, null, output);
  }

  /**
   * BinaryConnect's stochastic sign: 1 with the probability {@code clamp((w + 1) / 2, 0, 1)}, else
   * -1, by the Philox word of (seed, element, step, stream); the same on every backend. A NaN
   * stays.
   *
   * @param backend what carries it out
   * @param weight F32, the real weights
   * @param seed the key
   * @param step the step, 1 for the first; its low 32 bits count
   * @param stream a number for tensor and purpose
   * @param output F32 of the same shape; may be the weight
   * @throws IllegalArgumentException for a tensor that does not fit; nothing was written
   */
  public static void stochasticSign(
      Backend backend, Tensor weight, long seed, long step, int stream, Tensor output) {
    Engine engine =
        new TensorChecks(backend)
            .like("output", output, weight)
            .maps("weight", weight, "output", output, DType.F32)
            .done();
    engine.run(
        new KernelCall(EstimatorKernels.STOCHASTIC_SIGN)
            .arrays(weight, output)
            .integers(weight.elements(), seed, step, stream)
            .units(RowCall.chunks(weight.elements()), weight.elements()));
  }

  /** {@code scale * sign(w)}; one scale, or one per filter. */
  public static void scaledSign(Backend backend, Tensor weight, Tensor scale, Tensor output) {
    TensorChecks checks = new TensorChecks(backend).like("output", output, weight);
    checks.maps("weight", weight, "output", output, DType.F32);
    if (scale != null) {
      checks.reads("scale", scale, DType.F32);
    }
    Engine engine = checks.done();
    try (Scratch scratch = new Scratch(engine)) {
      Tensor used = scale != null ? scale : RowCall.floats(scratch, 1.0);
      RowCall.of(engine, weight, "scale", used)
          .run(EstimatorKernels.SCALED_SIGN, new double[0], weight, output, used);
    }
  }

  /** The straight-through gradient: that of the output where {@code |w| <= clip}, else 0. */
  public static void straightThrough(
      Backend backend, Tensor weight, Tensor gradient, double clip, Tensor output) {
    Range.positive("clip", clip);
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, weight)
            .like("output", output, weight)
            .reads("weight", weight, DType.F32)
            .maps("gradient", gradient, "output", output, DType.F32)
            .done();
    RowCall.whole(engine, weight)
        .run(EstimatorKernels.STRAIGHT_THROUGH, new double[] {clip}, weight, gradient, output);
  }

  /** BinaryConnect after the update: the real weight limited to [-1, 1]. */
  public static void clip(Backend backend, Tensor weight) {
    Engine engine = new TensorChecks(backend).writes("weight", weight, DType.F32).done();
    RowCall.whole(engine, weight).run(EstimatorKernels.CLAMP_UNIT, new double[0], weight, weight);
  }

  /**
   * XNOR-Net before every forward pass: takes off the mean over the channels, the second axis, and
   * limits to [-1, 1]. Changes the stored weight.
   */
  public static void center(Backend backend, Tensor weight) {
    Engine engine = filters(backend, weight).writes("weight", weight, DType.F32).done();
    long filters = weight.shape()[0];
    long channels = weight.shape()[1];
    if (weight.elements() > 0) {
      engine.run(
          new KernelCall(EstimatorKernels.CENTER_CHANNELS)
              .arrays(weight)
              .integers(channels, weight.elements() / filters / channels)
              .units(filters, weight.elements()));
    }
  }

  /** XNOR-Net's scale: the mean magnitude of every filter. */
  public static void filterScales(Backend backend, Tensor weight, Tensor scales) {
    Engine engine =
        filters(backend, weight)
            .shape("scales", scales, weight.shape()[0])
            .reads("weight", weight, DType.F32)
            .writes("scales", scales, DType.F32)
            .done();
    RowCall rows = RowCall.rows(engine, weight);
    double[] sums = rows.sums(EstimatorKernels.MAGNITUDE_SUM, 1, new double[0], weight);
    float[] values = new float[sums.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (sums[i] / (double) Math.max(1, rows.columns()));
    }
    Scratch.write(engine, scales, values);
  }

  /**
   * XNOR-Net's gradient of the weight: {@code g (alpha [|w| < 1] + 1 / n) (1 - 1 / channels)}, n
   * elements of a filter.
   *
   * @param scales alpha of every filter
   * @param timesElements times n besides, which the authors do under SGD
   */
  public static void xnorGradient(
      Backend backend,
      Tensor weight,
      Tensor gradient,
      Tensor scales,
      boolean timesElements,
      Tensor output) {
    Engine engine =
        filters(backend, weight)
            .like("gradient", gradient, weight)
            .like("output", output, weight)
            .shape("scales", scales, weight.shape()[0])
            .reads("weight", weight, DType.F32)
            .reads("scales", scales, DType.F32)
            .maps("gradient", gradient, "output", output, DType.F32)
            .done();
    if (weight.elements() == 0) {
      return;
    }
    RowCall rows = RowCall.rows(engine, weight);
    double n = (double) rows.columns();
    double factor = (1.0 - 1.0 / (double) weight.shape()[1]) * (timesElements ? n : 1.0);
    rows.run(
        EstimatorKernels.XNOR_BACKWARD,
        new double[] {1.0 / n, factor},
        weight,
        gradient,
        output,
        scales);
  }

  private static TensorChecks filters(Backend backend, Tensor weight) {
    if (weight.rank() < 2) {
      throw new IllegalArgumentException("weight is " + weight + ": expected at least two axes");
    }
    return new TensorChecks(backend);
  }
}
