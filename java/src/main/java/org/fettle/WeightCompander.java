package org.fettle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Formats;
import org.fettle.internal.Primitive;

/**
 * Weight Compander: a weight is {@code a * atan(v / b)} of a stored parameter v. Our reading of
 * arXiv:2306.16993, of which the abstract alone could be had.
 *
 * @param a bounds the weights by a * pi / 2; &gt; 0
 * @param b the scale of v; &gt; 0
 */
public record WeightCompander(double a, double b) {
  private static final int PIECE = 16 * 1024;

  /** Checks the constants. */
  public WeightCompander {
    Range.positive("a", a);
    Range.positive("b", b);
    Range.check("a", a, (float) a < Float.POSITIVE_INFINITY, "a float");
    Range.check("a / b", a / b, (float) (a / b) < Float.POSITIVE_INFINITY, "a float");
    Range.check("b", b, (float) b > 0, "a float > 0");
  }

  /**
   * The gradients of a and b.
   *
   * @param a the gradient of a
   * @param b the gradient of b
   */
  public record ConstantGradients(double a, double b) {}

  /** w = a * atan(v / b). */
  public void forward(Backend backend, Tensor v, Tensor weight) {
    new BatchChecks(backend).maps("v", v, "weight", weight).done();
    BatchChecks.run(backend, List.of(Batch.Item.of(Primitive.COMPANDER, v, weight)), a, b);
  }

  /**
   * The gradient of v from that of the weight: {@code dv = dw * a * b / (b * b + v * v)}.
   *
   * @param backend what carries it out
   * @param v the stored parameter
   * @param weightGradient dw
   * @param gradient receives dv; may be weightGradient
   * @return the gradients of a and b, summed in the fixed order
   */
  public ConstantGradients backward(
      Backend backend, Tensor v, Tensor weightGradient, Tensor gradient) {
    BatchChecks checks = new BatchChecks(backend).reads("v", v);
    PlanChecks.like("weightGradient", weightGradient, v);
    checks.maps("weightGradient", weightGradient, "gradient", gradient).done();
    List<Batch.Item> items =
        List.of(Batch.Item.of(Primitive.COMPANDER_GRADIENT, v, weightGradient, gradient));
    try (BatchRunner runner = backend.engine().open(new Batch(items))) {
      runner.factor(0, 0, a / b);
      runner.factor(0, 1, b);
      runner.run();
      return new ConstantGradients(runner.sum(0, 0), -(a / b) * runner.sum(0, 1));
    }
  }

  /**
   * The parameter that gives a weight: {@code v = b * tan(w / a)}. Done once, so it is computed on
   * the host.
   *
   * @throws IllegalArgumentException if a weight is NaN or its magnitude is not below a * pi / 2;
   *     nothing was written
   */
  public void start(Backend backend, Tensor weight, Tensor v) {
    new BatchChecks(backend).maps("weight", weight, "v", v).done();
    double[] largest =
        BatchChecks.run(backend, List.of(Batch.Item.of(Primitive.ABSOLUTE_MAX, weight)));
    double limit = a * Math.PI / 2;
    Range.check("the largest weight", largest[0], largest[0] < limit, "below " + limit);
    int size = weight.dtype().bits() / 8;
    int outputSize = v.dtype().bits() / 8;
    ByteBuffer from = ByteBuffer.allocateDirect(PIECE * size).order(ByteOrder.nativeOrder());
    ByteBuffer to = ByteBuffer.allocateDirect(PIECE * outputSize).order(ByteOrder.nativeOrder());
    for (long at = 0; at < weight.elements(); at += PIECE) {
      int n = (int) Math.min(PIECE, weight.elements() - at);
      from.position(0).limit(n * size);
      backend.engine().read(weight, at * size, from);
      to.clear();
      for (int i = 0; i < n; i++) {
        float w =
            weight.dtype() == DType.F32
                ? from.getFloat(i * size)
                : Formats.decode(weight.dtype(), from.getShort(i * size));
        // StrictMath: the same bits on every JVM.
        float result = (float) (b * StrictMath.tan((double) w / a));
        if (v.dtype() == DType.F32) {
          to.putFloat(result);
        } else {
          to.putShort(Formats.nearest(v.dtype(), result));
        }
      }
      backend.engine().write(v, at * outputSize, to.flip());
    }
  }
}
