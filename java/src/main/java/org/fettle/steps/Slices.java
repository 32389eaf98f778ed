package org.fettle.steps;

import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.StepKernels;

/** Every q-th element of a tensor, from the first on. */
final class Slices {
  private final Engine engine;
  private final long every;
  private final Tensor from;
  private final Tensor to;

  /** The output has the input's format. */
  Slices(Engine engine, long every, Tensor from, Tensor to) {
    this.engine = engine;
    this.every = every;
    this.from = from;
    this.to = to;
  }

  void run() {
    engine.run(
        new KernelCall(StepKernels.SLICES)
            .arrays(to, from)
            .integers(to.elements(), every, from.dtype().bits() / 8)
            .units(Kernels.chunks(to.elements()), to.elements()));
  }
}
