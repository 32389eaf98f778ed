package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Tensor;
import org.fettle.steps.HessianDiagonal;

/**
 * AdaHessian's second derivatives: {@code Hz}, z a vector of signs, as the difference of two
 * gradients of the same mini-batch.
 */
final class Curvature implements Recipe {
  private final float distance;
  private final long blockSize;
  private final List<One> tensors = new ArrayList<>();

  /** A parameter with what is kept of it meanwhile. */
  private record One(
      FloatBuffer weight, FloatBuffer gradient, Tensor product, List<float[]> kept) {}

  /**
   * A recipe for one run.
   *
   * @param distance how far along z the second gradient is taken
   * @param blockSize weights of a row that share a second derivative
   */
  Curvature(double distance, long blockSize) {
    this.distance = (float) distance;
    this.blockSize = blockSize;
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    // In the order of the plan.
    for (int i = 0; i < run.plan().tensors(); i++) {
      Parameter parameter = run.plan().parameter(i);
      int elements = (int) parameter.value().elements();
      tensors.add(
          new One(
              parameter.value().buffer().asFloatBuffer(),
              parameter.gradient().buffer().asFloatBuffer(),
              Tensor.allocate(DType.F32, parameter.value().shape()),
              List.of(new float[elements], new float[elements], new float[elements])));
    }
  }

  @Override
  public void batch(Run run) {
    run.gradient();
    SplitMix random = new SplitMix(run.context().seed() ^ run.clock().step() << 20);
    tensors.forEach(one -> move(one, random));
    run.gradient();
    Backend backend = run.context().backend();
    Plan plan = run.plan();
    for (int i = 0; i < tensors.size(); i++) {
      moveBack(tensors.get(i));
      Tensor product = tensors.get(i).product();
      long block = HessianDiagonal.block(product, blockSize);
      HessianDiagonal.average(backend, product, block, plan.state(i, "diag"));
    }
    run.update();
  }

  private void move(One one, SplitMix random) {
    float[] weights = one.kept().get(0);
    float[] moved = one.kept().get(2);
    one.weight().get(0, weights);
    one.gradient().get(0, one.kept().get(1));
    long bits = 0;
    for (int i = 0; i < weights.length; i++) {
      bits = i % 64 == 0 ? random.next() : bits >>> 1;
      moved[i] = weights[i] + ((bits & 1) == 0 ? distance : -distance);
    }
    one.weight().put(0, moved);
  }

  /** The products, and weights, gradients and moved weights of each. */
  @Override
  public long bytes() {
    return tensors.stream()
        .mapToLong(one -> (1L + one.kept().size()) * one.product().bytes())
        .sum();
  }

  /** Only the magnitude of Hz matters, so its sign is left out. */
  private void moveBack(One one) {
    float[] gradients = one.kept().get(1);
    float[] product = one.kept().get(2);
    one.weight().put(0, one.kept().get(0));
    one.gradient().get(0, product);
    one.gradient().put(0, gradients);
    for (int i = 0; i < product.length; i++) {
      product[i] = (product[i] - gradients[i]) / distance;
    }
    one.product().buffer().asFloatBuffer().put(product);
  }
}
