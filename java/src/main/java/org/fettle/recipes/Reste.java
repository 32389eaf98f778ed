package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * ReSTE (arXiv:2303.12565): the sign forward, the slope of {@code sign(w) |w|^(1/o)} backward, with
 * o raised over the training.
 *
 * @param o &gt;= 1; 1 is the straight-through estimator
 * @param interval below it the slope is that of the secant; 0.1
 * @param limit beyond it the gradient is 0; 1.5
 */
public record Reste(double o, double interval, double limit) {
  /** Checks the numbers. */
  public Reste {
    Range.check("o", o, o >= 1 && o <= 1e6, "1 to 1e6");
    Range.check("interval", interval, interval > 0 && interval <= 1, "above 0, at most 1");
    Range.check("limit", limit, limit >= interval && limit <= 1e30, "interval to 1e30");
  }

  /** The authors' constants. */
  public static Reste of(double o) {
    return new Reste(o, 0.1, 1.5);
  }

  /**
   * o of an epoch: {@code 1 + (1 - cos(pi epoch / (2 epochs))) (end - 1)}; the authors' end is 3.
   */
  public static double schedule(double epoch, double epochs, double end) {
    Range.positive("epochs", epochs);
    return 1.0 + (1.0 - StrictMath.cos(Math.PI * epoch / (2.0 * epochs))) * (end - 1.0);
  }

  /** The function that is estimated, {@code sign(w) |w|^(1/o)}. */
  public void power(Backend backend, Tensor weight, Tensor output) {
    Engine engine =
        new TensorChecks(backend)
            .like("output", output, weight)
            .maps("weight", weight, "output", output, DType.F32)
            .done();
    RowCall.whole(engine, weight)
        .run(EstimatorKernels.POWER_SIGN_FORWARD, new double[] {1.0 / o}, weight, output);
  }

  /** The gradient of the sign. */
  public void backward(Backend backend, Tensor weight, Tensor gradient, Tensor output) {
    backward(backend, weight, gradient, output, 1.0, 0.0);
  }

  /** A layer's scale: the mean magnitude of the whole tensor. */
  public static double layerScale(Backend backend, Tensor weight) {
    Engine engine = new TensorChecks(backend).reads("weight", weight, DType.F32).done();
    return RowCall.whole(engine, weight)
            .sums(EstimatorKernels.MAGNITUDE_SUM, 1, new double[0], weight)[0]
        / (double) weight.elements();
  }

  /** The gradient of {@code scale * sign(w)} where scale is {@link #layerScale}, through both. */
  public void layerBackward(
      Backend backend, Tensor weight, Tensor gradient, double scale, Tensor output) {
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, weight)
            .reads("weight", weight, DType.F32)
            .reads("gradient", gradient, DType.F32)
            .done();
    double sum =
        RowCall.whole(engine, weight)
            .sums(EstimatorKernels.SIGNED_SUM, 1, new double[0], weight, gradient)[0];
    backward(backend, weight, gradient, output, scale, sum / (double) weight.elements());
  }

  private void backward(
      Backend backend, Tensor weight, Tensor gradient, Tensor output, double scale, double shift) {
    Engine engine =
        new TensorChecks(backend)
            .like("gradient", gradient, weight)
            .like("output", output, weight)
            .reads("weight", weight, DType.F32)
            .maps("gradient", gradient, "output", output, DType.F32)
            .done();
    double exponent = 1.0 / o - 1.0;
    double secant = StrictMath.pow(interval, exponent);
    double[] numbers = {1.0 / o, exponent, secant, limit, interval, secant / o, scale, shift};
    RowCall.whole(engine, weight)
        .run(EstimatorKernels.POWER_SIGN_BACKWARD, numbers, weight, gradient, output);
  }
}
