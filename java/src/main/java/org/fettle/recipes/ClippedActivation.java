package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * PACT (arXiv:1805.06085): activations quantized to [0, alpha] with a learned alpha, an F32 tensor
 * of one element &gt; 0. Alpha's decay is the optimizer's.
 *
 * @param bits 1 to 8
 */
public record ClippedActivation(int bits) {
  /** Checks the bits. */
  public ClippedActivation {
    Range.check("bits", bits, bits >= 1 && bits <= 8, "1 to 8");
  }

  /** {@code y = round(clamp(x, 0, alpha) L / alpha) alpha / L}, L = 2^bits - 1. */
  public void forward(Backend backend, Tensor x, Tensor alpha, Tensor y) {
    TensorChecks checks = new TensorChecks(backend).like("y", y, x).shape("alpha", alpha, 1);
    Engine engine = checks.maps("x", x, "y", y, DType.F32).reads("alpha", alpha, DType.F32).done();
    RowCall.whole(engine, x)
        .run(EstimatorKernels.CLIPPED_ACTIVATION_FORWARD, numbers(), x, y, alpha);
  }

  /**
   * The gradients.
   *
   * @param gradientX receives the gradient where 0 &lt; x &lt; alpha; may be {@code gradient}
   * @return that of alpha: the sum where x &gt;= alpha
   */
  public double backward(
      Backend backend, Tensor x, Tensor gradient, Tensor alpha, Tensor gradientX) {
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, x)
            .like("gradientX", gradientX, x)
            .shape("alpha", alpha, 1)
            .reads("x", x, DType.F32)
            .reads("alpha", alpha, DType.F32)
            .maps("gradient", gradient, "gradientX", gradientX, DType.F32)
            .done();
    return RowCall.whole(engine, x)
        .sums(
            EstimatorKernels.CLIPPED_ACTIVATION_BACKWARD,
            1,
            numbers(),
            x,
            gradient,
            gradientX,
            alpha)[0];
  }

  private double[] numbers() {
    return new double[] {(1 << bits) - 1};
  }
}
