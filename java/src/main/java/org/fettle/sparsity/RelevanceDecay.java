package org.fettle.sparsity;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.PenaltyKernels;
import org.fettle.internal.kernels.ScoreKernels;

/**
 * A step that lets decay what the loss does not care about: {@code w - lr (g + lambda w exp(-g^2))}
 * (after the abstract of arXiv:2204.04977; the rule is our own).
 *
 * @param lambda &gt;= 0
 */
public record RelevanceDecay(double lambda) {
  /** Checks lambda. */
  public RelevanceDecay {
    Range.nonNegative("lambda", lambda);
  }

  /** One step on a weight; both tensors are F32. */
  public void step(Backend backend, double lr, Tensor weight, Tensor gradient) {
    Range.nonNegative("lr", lr);
    TensorChecks checks = new TensorChecks(backend).writes("weight", weight, DType.F32);
    checks.reads("gradient", gradient, DType.F32).like("gradient", gradient, weight);
    checks
        .done()
        .run(
            new KernelCall(PenaltyKernels.RELEVANCE_DECAY)
                .arrays(weight, gradient)
                .integers(weight.elements())
                .numbers(lr, lambda)
                .units(Selector.units(weight.elements(), ScoreKernels.UNIT), weight.elements()));
  }
}
