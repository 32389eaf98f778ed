package org.fettle.recipes;

import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * Fake quantization with a learned step size: LSQ (arXiv:1902.08153), and with a learned offset
 * LSQ+ (arXiv:2004.09576).
 *
 * <p>{@code y = s * round(clamp((x - offset) / s, low, high)) + offset}, halves to even. Step sizes
 * are F32: one, or one per row of the first axis; below 1e-5 they count as 1e-5.
 *
 * @param low the smallest code
 * @param high the largest code; &gt; low
 */
public record LearnedStep(int low, int high) {
  private static final int LIMIT = 1 << 20;

  /** Checks the codes. */
  public LearnedStep {
    Range.check("low", low, low < high && low >= -LIMIT, "-2^20 to below high, " + high);
    Range.check("high", high, high <= LIMIT, "<= 2^20");
  }

  /** The codes of that many bits: 1 to 8. */
  public static LearnedStep ofBits(int bits, boolean signed) {
    Range.check("bits", bits, bits >= 1 && bits <= 8, "1 to 8");
    return signed
        ? new LearnedStep(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        : new LearnedStep(0, (1 << bits) - 1);
  }

  /**
   * The gradients of step sizes and offset.
   *
   * @param step one per step size
   * @param offset the offset's
   */
  public record StepGradients(List<Double> step, double offset) {}

  /** G of the paper: 1 / sqrt(elements of one step size * high); NaN unless high &gt; 0. */
  public double gradientScale(long elements) {
    return 1.0 / Math.sqrt((double) elements * high);
  }

  /**
   * The paper's first step sizes, {@code 2 mean|x| / sqrt(high)}.
   *
   * @param perRow one for every row of the first axis, instead of one
   */
  public double[] initialStep(Backend backend, Tensor x, boolean perRow) {
    Engine engine = new TensorChecks(backend).reads("x", x, DType.F32).done();
    RowCall rows = perRow ? RowCall.rows(engine, x) : RowCall.whole(engine, x);
    double[] sums = rows.sums(EstimatorKernels.MAGNITUDE_SUM, 1, new double[0], x);
    for (int i = 0; i < sums.length; i++) {
      sums[i] = 2.0 * (sums[i] / (double) rows.columns()) / Math.sqrt(high);
    }
    return sums;
  }

  /** LSQ: without offset. */
  public void forward(Backend backend, Tensor x, Tensor step, Tensor y) {
    forward(backend, x, step, 0.0, y);
  }

  /** LSQ+; the output may be the input. */
  public void forward(Backend backend, Tensor x, Tensor step, double offset, Tensor y) {
    Range.finite("offset", offset);
    TensorChecks checks = new TensorChecks(backend).like("y", y, x);
    Engine engine = checks.maps("x", x, "y", y, DType.F32).reads("step", step, DType.F32).done();
    RowCall.of(engine, x, "step", step)
        .run(EstimatorKernels.LEARNED_STEP_FORWARD, new double[] {low, high, offset}, x, y, step);
  }

  /**
   * The gradients, in one pass.
   *
   * @param backend what carries it out
   * @param x the input of the forward pass
   * @param gradient of the output
   * @param step the step sizes
   * @param offset 0 for LSQ
   * @param scale G, which multiplies the gradients of step sizes and offset
   * @param gradientX receives the gradient of x; may be {@code gradient}
   */
  public StepGradients backward(
      Backend backend,
      Tensor x,
      Tensor gradient,
      Tensor step,
      double offset,
      double scale,
      Tensor gradientX) {
    Range.finite("offset", offset);
    TensorChecks checks =
        new TensorChecks(backend).like("gradient", gradient, x).like("gradientX", gradientX, x);
    Engine engine =
        checks
            .reads("x", x, DType.F32)
            .reads("step", step, DType.F32)
            .maps("gradient", gradient, "gradientX", gradientX, DType.F32)
            .done();
    RowCall rows = RowCall.of(engine, x, "step", step);
    double[] sums =
        rows.sums(
            EstimatorKernels.LEARNED_STEP_BACKWARD,
            2,
            new double[] {low, high, offset},
            x,
            gradient,
            gradientX,
            step);
    double[] steps = new double[sums.length / 2];
    double offsets = 0.0;
    for (int i = 0; i < steps.length; i++) {
      steps[i] = scale * sums[2 * i];
      offsets += sums[2 * i + 1];
    }
    return new StepGradients(Arrays.stream(steps).boxed().toList(), scale * offsets);
  }
}
