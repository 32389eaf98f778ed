package org.fettle.pruning;

import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.PruningKernels;
import org.fettle.sparsity.Selection;

/**
 * BiP: pruning as a bi-level problem. The lower level trains the weights that the mask keeps, the
 * upper level their scores; the mask keeps the largest.
 *
 * <pre>
 * lower: w = w - lr m g        upper: q = w g sign(s), s = s - maskLr (q - lr2 q^2)
 * m: the n - floor((1 - keepRatio) n) largest |s|
 * </pre>
 *
 * <p>g is the gradient with respect to the masked weight, of another batch on each level. The upper
 * step is that of the authors' code, which multiplies the score's gradient by itself. Source: Zhang
 * et al., arXiv:2210.04092; OPTML-Group/BiP.
 *
 * @param keepRatio in [0, 1]
 * @param lr of the weights, at least 0
 * @param maskLr of the scores, at least 0; default 0.1
 * @param lr2 of the second-order term, at least 0; default 0.1
 */
public record BiP(double keepRatio, double lr, double maskLr, double lr2) {
  /** Checks the hyperparameters. */
  public BiP {
    Range.check("keepRatio", keepRatio, keepRatio >= 0 && keepRatio <= 1, "in [0, 1]");
    Range.nonNegative("lr", lr);
    Range.nonNegative("maskLr", maskLr);
    Range.nonNegative("lr2", lr2);
  }

  /**
   * The lower level: one step of the weights that are kept.
   *
   * @param weight F32, replaced where the mask is 1
   * @param gradient F32
   * @param mask BIT
   */
  public void lower(Backend backend, Tensor weight, Tensor gradient, Tensor mask) {
    Engine engine =
        new TensorChecks(backend)
            .writes("weight", weight, DType.F32)
            .reads("gradient", gradient, DType.F32)
            .like("gradient", gradient, weight)
            .reads("mask", mask, DType.BIT)
            .like("mask", mask, weight)
            .done();
    engine.run(
        call(new KernelCall(PruningKernels.MASKED_ADD), weight)
            .arrays(mask, weight, gradient)
            .numbers(-lr));
  }

  /**
   * The upper level: one step of the scores, behind the lower one.
   *
   * @param score F32, replaced
   * @param weight F32, as the lower level left it
   * @param gradient F32, of the upper level's batch
   */
  public void upper(Backend backend, Tensor score, Tensor weight, Tensor gradient) {
    Engine engine =
        new TensorChecks(backend)
            .writes("score", score, DType.F32)
            .reads("weight", weight, DType.F32)
            .like("weight", weight, score)
            .reads("gradient", gradient, DType.F32)
            .like("gradient", gradient, score)
            .done();
    engine.run(
        call(new KernelCall(PruningKernels.BIP_SCORE), score)
            .arrays(null, score, weight, gradient)
            .numbers(-maskLr, -lr2));
  }

  /**
   * The mask's gradient as the bi-linear derivation has it, {@code w g - lr2 m g^2}: ours, for the
   * paper's text could not be read; not what {@link #upper} does.
   *
   * @param weight F32
   * @param gradient F32, with respect to the masked weight
   * @param mask BIT
   * @param out F32, written
   */
  public void derivedGradient(
      Backend backend, Tensor weight, Tensor gradient, Tensor mask, Tensor out) {
    Engine engine =
        new TensorChecks(backend)
            .reads("weight", weight, DType.F32)
            .reads("gradient", gradient, DType.F32)
            .like("gradient", gradient, weight)
            .reads("mask", mask, DType.BIT)
            .like("mask", mask, weight)
            .writes("out", out, DType.F32)
            .like("out", out, weight)
            .done();
    engine.run(
        call(new KernelCall(PruningKernels.BIP_DERIVED), weight)
            .arrays(mask, out, weight, gradient)
            .numbers(-lr2));
  }

  /** The masks of the largest scores, over all tensors. */
  public void choose(Backend backend, List<Tensor> scores, List<Tensor> masks) {
    long elements = scores.stream().mapToLong(Tensor::elements).sum();
    Selection.on(backend)
        .dropSmallest((long) Math.floor((1 - keepRatio) * elements), scores, masks);
  }

  private static KernelCall call(KernelCall call, Tensor tensor) {
    long elements = tensor.elements();
    return call.integers(elements)
        .units((elements + PruningKernels.UNIT - 1) / PruningKernels.UNIT, elements);
  }
}
