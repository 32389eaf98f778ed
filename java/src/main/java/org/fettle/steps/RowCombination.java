package org.fettle.steps;

import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.StepKernels;

/**
 * {@code out = scale * (sum of c_k * (G_k - H_k) + noiseScale * z) + keepScale * x}, in double, in
 * the order of the rows, rounded once. All tensors are F32; H, z and x may be absent.
 */
final class RowCombination {
  private final Engine engine;
  private final Tensor rows;
  private Tensor subtracted;
  private Tensor noise;
  private Tensor kept;
  private double noiseScale;
  private double keepScale;

  RowCombination(Engine engine, Tensor rows) {
    this.engine = engine;
    this.rows = rows;
  }

  RowCombination less(Tensor other) {
    subtracted = other;
    return this;
  }

  RowCombination noise(Tensor draws, double scale) {
    noise = draws;
    noiseScale = scale;
    return this;
  }

  RowCombination keep(Tensor other, double scale) {
    kept = other;
    keepScale = scale;
    return this;
  }

  void run(double[] weights, double scale, Tensor out) {
    Tensor c = engine.allocate(DType.F64, new long[] {weights.length}, 0);
    try {
      Doubles.write(engine, c, weights);
      long length = out.elements();
      engine.run(
          new KernelCall(StepKernels.COMBINE_ROWS)
              .arrays(out, rows, subtracted, noise, kept, c)
              .integers(weights.length, length)
              .numbers(scale, noiseScale, keepScale)
              .units(Kernels.chunks(length), length * (1 + weights.length / 4)));
    } finally {
      engine.release(c);
    }
  }
}
