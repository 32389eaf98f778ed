package org.fettle.steps;

import java.util.List;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.Primitive;
import org.fettle.internal.kernels.StepKernels;

/** What callers of kernels and primitives share. */
final class Kernels {
  private Kernels() {}

  static long chunks(long elements) {
    return elements / StepKernels.CHUNK + (elements % StepKernels.CHUNK != 0 ? 1 : 0);
  }

  /** Refuses other formats: these kernels read F32 only. */
  static void f32(String name, Tensor tensor) {
    if (tensor.dtype() != DType.F32) {
      throw new IllegalArgumentException(name + " is " + tensor + ": expected F32");
    }
  }

  /** Runs a primitive once over these arrays; answers its first sum. */
  static double run(Engine engine, Primitive primitive, double[] factors, Tensor... arrays) {
    try (BatchRunner runner = engine.open(new Batch(List.of(Batch.Item.of(primitive, arrays))))) {
      for (int k = 0; k < factors.length; k++) {
        runner.factor(0, k, factors[k]);
      }
      runner.run();
      return runner.sum(0, 0);
    }
  }

  /** The first sum of the primitive for every item, in one run. */
  static double[] sums(Engine engine, List<Batch.Item> items) {
    try (BatchRunner runner = engine.open(new Batch(items))) {
      runner.run();
      double[] sums = new double[items.size()];
      for (int i = 0; i < sums.length; i++) {
        sums[i] = runner.sum(i, 0);
      }
      return sums;
    }
  }
}
