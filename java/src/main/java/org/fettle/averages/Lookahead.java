package org.fettle.averages;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.kernels.AverageKernels;

/**
 * Lookahead (michaelrzhang/lookahead, arXiv:1907.08610): after every k-th step of any optimizer
 * {@code slow <- slow + alpha (weight - slow); weight <- slow}. The slow weights start as a copy of
 * the initial weights. A popular third-party port is one phase off, a different method.
 *
 * <p>Costs 16 bytes per weight in every k-th step. Not for use by two threads at once.
 */
public final class Lookahead {
  private static final int BUFFER_BYTES = 1 << 20;

  private final Backend backend;
  private final double alpha;
  private final long interval;
  private final List<Tensor> weights;
  private final List<Tensor> slow;
  private List<Tensor> momenta = List.of();
  private long steps;

  /**
   * Copies the weights to the slow ones.
   *
   * @param alpha how far the slow weights go, in [0, 1]; published default 0.8, in the paper 0.5
   * @param interval k, at least 1; default 5
   * @param weights the live weights, as they are before the first step
   * @param slow of the weights' shapes; what stands there does not matter
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public Lookahead(
      Backend backend, double alpha, long interval, List<Tensor> weights, List<Tensor> slow) {
    Range.check("alpha", alpha, alpha >= 0 && alpha <= 1, "in [0, 1]");
    Range.check("interval", interval, interval >= 1, ">= 1");
    this.backend = backend;
    this.alpha = alpha;
    this.interval = interval;
    this.weights = List.copyOf(weights);
    this.slow = List.copyOf(slow);
    StochasticWeightAverage.pairs(backend, this.weights, this.slow, true);
    for (int i = 0; i < this.weights.size(); i++) {
      MovingAverage.copy(backend, this.weights.get(i), this.slow.get(i));
    }
  }

  /**
   * Sets tensors to zero whenever the weights go back, the published momentum option {@code reset}.
   * The option {@code pullback} is not offered: its code aliases its buffer with the live one.
   *
   * @param newMomenta such as {@code plan.state(0, "momentum")}
   */
  public Lookahead resetting(List<Tensor> newMomenta) {
    momenta = List.copyOf(newMomenta);
    return this;
  }

  /**
   * To be called after every step of the optimizer.
   *
   * @return whether the weights went back to the slow ones
   */
  public boolean afterStep() {
    steps++;
    if (steps % interval != 0) {
      return false;
    }
    for (int i = 0; i < weights.size(); i++) {
      MovingAverage.run(
          backend,
          AverageKernels.LOOKAHEAD,
          new double[] {alpha},
          weights.get(i),
          slow.subList(i, i + 1));
    }
    Engine engine = Access.engine(backend);
    for (Tensor momentum : momenta) {
      zero(engine, momentum);
    }
    return true;
  }

  /** The steps so far. */
  public long steps() {
    return steps;
  }

  /** Goes on from so many steps, for slow weights that come from elsewhere. */
  public void setSteps(long newSteps) {
    Range.check("steps", newSteps, newSteps >= 0, ">= 0");
    steps = newSteps;
  }

  private static void zero(Engine engine, Tensor tensor) {
    ByteBuffer zeros = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.nativeOrder());
    for (long at = 0; at < tensor.bytes(); at += BUFFER_BYTES) {
      zeros.position(0).limit((int) Math.min(BUFFER_BYTES, tensor.bytes() - at));
      engine.write(tensor, at, zeros);
    }
  }
}
