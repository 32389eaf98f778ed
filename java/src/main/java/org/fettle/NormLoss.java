package org.fettle;

import java.util.List;
import org.fettle.internal.Batch;
import org.fettle.internal.Primitive;

/**
 * Norm loss: {@code lambda * sum over rows of (1 - |w|)^2}, which draws the rows of a weight to
 * length 1 (arXiv:2103.06583). A row is an index of the first axis. Its gradient is {@code 2 *
 * lambda * (1 - 1 / |w|) * w}, and 0 for a zero row.
 *
 * @param lambda the strength; finite and &gt;= 0
 */
public record NormLoss(double lambda) {
  /** Checks the strength. */
  public NormLoss {
    Range.nonNegative("lambda", lambda);
  }

  /** The loss alone. */
  public double loss(Backend backend, Tensor weight) {
    new BatchChecks(backend).reads("weight", weight).done();
    return run(backend, Primitive.NORM_LOSS, weight, List.of(weight));
  }

  /**
   * The gradient.
   *
   * @return the loss
   */
  public double gradient(Backend backend, Tensor weight, Tensor gradient) {
    new BatchChecks(backend).maps("weight", weight, "gradient", gradient).done();
    return run(backend, Primitive.NORM_LOSS_GRADIENT, weight, List.of(weight, gradient));
  }

  /**
   * Adds the gradient to another.
   *
   * @return the loss
   */
  public double addTo(Backend backend, Tensor weight, Tensor gradient) {
    BatchChecks checks = new BatchChecks(backend).reads("weight", weight);
    checks.writesLike("gradient", gradient, weight).done();
    return run(backend, Primitive.NORM_LOSS_ADD, weight, List.of(weight, gradient, gradient));
  }

  /**
   * The loss as a decay of the weight, outside an optimizer's moments: {@code w * (1 - lr * 2 *
   * lambda * (1 - 1 / (|w| + eps)))}.
   *
   * @return the loss before the decay
   */
  public double decay(Backend backend, double lr, double eps, Tensor weight) {
    Range.nonNegative("lr", lr);
    Range.nonNegative("eps", eps);
    new BatchChecks(backend).writes("weight", weight).done();
    return run(backend, Primitive.NORM_LOSS_DECAY, weight, List.of(weight, weight), lr, eps);
  }

  private double run(
      Backend backend, Primitive primitive, Tensor weight, List<Tensor> arrays, double... more) {
    long[] shape = weight.shape();
    long row = shape.length == 0 || shape[0] == 0 ? 1 : weight.elements() / shape[0];
    double[] factors = new double[1 + more.length];
    factors[0] = lambda;
    System.arraycopy(more, 0, factors, 1, more.length);
    List<Batch.Item> items = List.of(Batch.Item.of(primitive, arrays, row, 0, null));
    return lambda * BatchChecks.run(backend, items, factors)[0];
  }
}
