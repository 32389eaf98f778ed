package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * Tracks how often the integers of quantized weights oscillate, and freezes those that do so too
 * often (Nagel et al., arXiv:2203.11086). Its state lies on the backend; all F32.
 */
public final class OscillationTracker implements AutoCloseable {
  private final Backend backend;
  private final Scratch scratch;
  private final double low;
  private final double high;
  private final double momentum;
  private final boolean averages;
  private final Tensor[] states = new Tensor[6];
  private boolean started;

  /**
   * A tracker of one tensor.
   *
   * @param backend where the state is
   * @param low the smallest integer
   * @param high the largest integer; &gt; low
   * @param momentum of the frequency and of the average, 0 to 1; 0.01 in the authors' class
   * @param averages whether a weight is held at the rounded average of its integers, and not at the
   *     last one
   * @param shape of the weight
   */
  public OscillationTracker(
      Backend backend, int low, int high, double momentum, boolean averages, long... shape) {
    Range.check("low", low, low < high && low >= -(1 << 20), "-2^20 to below high, " + high);
    Range.check("high", high, high <= 1 << 20, "<= 2^20");
    Range.check("momentum", momentum, momentum >= 0 && momentum <= 1, "0 to 1");
    this.backend = backend;
    this.low = low;
    this.high = high;
    this.momentum = momentum;
    this.averages = averages;
    scratch = new Scratch(new TensorChecks(backend).done());
    for (int i = 0; i < states.length; i++) {
      states[i] = scratch.tensor(DType.F32, shape);
    }
  }

  /**
   * A step: writes the integers that the forward pass uses to {@link #integers}.
   *
   * @param scaled the weight divided by its scale
   * @param threshold frequency above which a weight is frozen for good; 0 only tracks
   */
  public void step(Tensor scaled, double threshold) {
    Range.nonNegative("threshold", threshold);
    Engine engine =
        new TensorChecks(backend)
            .like("scaled", scaled, states[0])
            .reads("scaled", scaled, DType.F32)
            .done();
    Tensor[] arrays = new Tensor[13];
    arrays[0] = scaled;
    System.arraycopy(states, 0, arrays, 1, 6);
    System.arraycopy(states, 0, arrays, 7, 6);
    RowCall.whole(engine, scaled)
        .run(
            EstimatorKernels.OSCILLATION,
            new double[] {
              low, high, momentum, 1.0 - momentum, threshold, averages ? 1 : 0, started ? 0 : 1
            },
            arrays);
    started = true;
  }

  /** The integers of the last step. */
  public Tensor integers() {
    return states[0];
  }

  /** How often each weight oscillates, averaged. */
  public Tensor frequency() {
    return states[2];
  }

  /** The average of the integers; 0 while nothing is frozen by it. */
  public Tensor average() {
    return states[3];
  }

  /** 1 where a weight is frozen. */
  public Tensor frozen() {
    return states[4];
  }

  /** What a frozen weight is held at. */
  public Tensor held() {
    return states[5];
  }

  /** Frees the state. */
  @Override
  public void close() {
    scratch.close();
  }
}
