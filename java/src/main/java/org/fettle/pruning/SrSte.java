package org.fettle.pruning;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.PruningKernels;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.NmPattern;

/**
 * SR-STE: N:M sparse training with a dense weight. The forward pass uses {@code m(w) w}; the dense
 * weight's gradient is that of the sparse one plus {@code lambda (1 - m) w}, and goes into SGD with
 * momentum and coupled decay. A step reads w, g, momentum (12 bytes) and the mask, writes w,
 * momentum (8 bytes). Source: Zhou et al., arXiv:2102.04010, equation 9; NM-sparsity/NM-sparsity.
 *
 * @param pattern N of M, along the last axis
 * @param lambda of the regularizer, at least 0; default 2e-4; 0 is the plain straight-through
 *     estimator
 * @param lr learning rate, at least 0
 * @param momentum in [0, 1)
 * @param weightDecay coupled, at least 0
 */
public record SrSte(
    NmPattern pattern, double lambda, double lr, double momentum, double weightDecay) {
  /** Checks the hyperparameters. */
  public SrSte {
    Range.nonNegative("lambda", lambda);
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.nonNegative("weightDecay", weightDecay);
  }

  /** The usual regularizer, momentum 0.9, no decay. */
  public SrSte(NmPattern pattern, double lr) {
    this(pattern, 2e-4, lr, 0.9, 0);
  }

  /**
   * Before a forward pass: the mask of the weight as it is, and the weight under it.
   *
   * @param weight F32, of which M divides the last axis
   * @param mask BIT of its shape, written
   * @param sparse F32 of its shape, written
   */
  public void forward(Backend backend, Tensor weight, Tensor mask, Tensor sparse) {
    pattern.mask(backend, weight, mask);
    Masks.on(backend).apply(mask, weight, sparse);
  }

  /** One step with the learning rate of the record. */
  public void step(Backend backend, Tensor weight, Tensor gradient, Tensor buffer, Tensor mask) {
    step(backend, weight, gradient, buffer, mask, lr);
  }

  /**
   * One step.
   *
   * @param weight F32, replaced
   * @param gradient F32, with respect to the sparse weight
   * @param buffer F32, the momentum, zero at first; replaced
   * @param mask BIT, that of the forward pass
   * @param stepLr this step's learning rate
   */
  public void step(
      Backend backend, Tensor weight, Tensor gradient, Tensor buffer, Tensor mask, double stepLr) {
    Range.nonNegative("lr", stepLr);
    Engine engine =
        new TensorChecks(backend)
            .writes("weight", weight, DType.F32)
            .reads("gradient", gradient, DType.F32)
            .like("gradient", gradient, weight)
            .writes("buffer", buffer, DType.F32)
            .like("buffer", buffer, weight)
            .reads("mask", mask, DType.BIT)
            .like("mask", mask, weight)
            .done();
    long elements = weight.elements();
    engine.run(
        new KernelCall(PruningKernels.SR_STE_STEP)
            .arrays(mask, weight, buffer, gradient)
            .integers(elements)
            .numbers(lambda, -stepLr, momentum, weightDecay)
            .units((elements + PruningKernels.UNIT - 1) / PruningKernels.UNIT, elements));
  }
}
