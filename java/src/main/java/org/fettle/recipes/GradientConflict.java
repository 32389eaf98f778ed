package org.fettle.recipes;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.EstimatorKernels;

/**
 * GAQAT (arXiv:2412.05551; its abstract and reviews, the formulas are ours): how often the
 * gradients of a quantizer's scale flip and how often task and smoothness disagree over a window of
 * steps. Scales whose task gradient flips less than a threshold have it frozen for the next window.
 */
public final class GradientConflict {
  private GradientConflict() {}

  /**
   * Measures a window.
   *
   * @param backend what carries it out
   * @param task F32, [window, scales]
   * @param smoothness F32, [window, scales]
   * @param threshold of the disorder
   * @param disorder F32, [scales]: the share of steps that flip the sign
   * @param conflict F32, [scales]: the mean of half the difference of the signs
   * @param freeze I8, [scales]: 1 where the disorder is below the threshold
   */
  public static void measure(
      Backend backend,
      Tensor task,
      Tensor smoothness,
      double threshold,
      Tensor disorder,
      Tensor conflict,
      Tensor freeze) {
    Range.nonNegative("threshold", threshold);
    TensorChecks checks = new TensorChecks(backend).rank("task", task, 2);
    long window = task.shape()[0];
    long scales = task.shape()[1];
    Range.check("window", window, window >= 1, ">= 1");
    Engine engine =
        checks
            .like("smoothness", smoothness, task)
            .shape("disorder", disorder, scales)
            .shape("conflict", conflict, scales)
            .shape("freeze", freeze, scales)
            .reads("task", task, DType.F32)
            .reads("smoothness", smoothness, DType.F32)
            .writes("disorder", disorder, DType.F32)
            .writes("conflict", conflict, DType.F32)
            .writes("freeze", freeze, DType.I8)
            .done();
    engine.run(
        new KernelCall(EstimatorKernels.GRADIENT_CONFLICT)
            .arrays(task, smoothness, disorder, conflict, freeze)
            .integers(window, scales)
            .numbers(threshold)
            .units(scales, task.elements()));
  }
}
