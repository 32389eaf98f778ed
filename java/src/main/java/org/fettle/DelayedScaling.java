package org.fettle;

import java.util.Objects;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.MeasureKernels;

/**
 * FP8 delayed scaling: every tensor is cast with a multiplier that follows from the largest
 * magnitudes of earlier steps. History and multipliers are tensors of the caller, on the device,
 * and nothing comes back to the host.
 *
 * <p>A step: {@link #cast} every tensor (its largest magnitude is merged into row 0 of the
 * history), then {@link #update} once: {@code a} is the largest of the history (or row 0); the
 * history moves up by one, row 0 becomes 0, the former row 0 the last; {@code multiplier = largest
 * code * 2^-margin / a} where a is finite and positive, else as before. NaN is left out of the
 * maxima. Start with multipliers of 1 and a history of zeros. Source: Transformer Engine.
 */
public final class DelayedScaling {
  private final Backend backend;
  private final Tensor history;
  private final Tensor multipliers;
  private final Minifloat element;
  private final Algorithm algorithm;
  private final int margin;

  /** Which magnitude of the history counts. */
  public enum Algorithm {
    /** The largest. */
    MAX,
    /** The most recent. */
    MOST_RECENT
  }

  private DelayedScaling(
      Backend backend,
      Tensor history,
      Tensor multipliers,
      Minifloat element,
      Algorithm algorithm,
      int margin) {
    this.backend = backend;
    this.history = history;
    this.multipliers = multipliers;
    this.element = element;
    this.algorithm = algorithm;
    this.margin = margin;
  }

  /**
   * Delayed scaling with algorithm MAX and margin 0.
   *
   * @param backend the backend
   * @param element {@link Minifloat#E4M3} (forward) or {@link Minifloat#E5M2} (gradients)
   * @param history F32 [length, tensors]; Transformer Engine's length is 1024
   * @param multipliers F32 [tensors]
   */
  public static DelayedScaling on(
      Backend backend, Minifloat element, Tensor history, Tensor multipliers) {
    Objects.requireNonNull(backend, "backend");
    Fp8Format.checkElement(Objects.requireNonNull(element, "element"));
    new FormatChecks(backend)
        .writes("history", history, DType.F32)
        .writes("multipliers", multipliers, DType.F32)
        .done();
    FormatChecks.matrix("history", history);
    Range.check("history length", history.shape()[0], history.shape()[0] >= 1, ">= 1");
    FormatChecks.shape("multipliers", multipliers, history.shape()[1]);
    return new DelayedScaling(backend, history, multipliers, element, Algorithm.MAX, 0);
  }

  /** With that algorithm. */
  public DelayedScaling algorithm(Algorithm newAlgorithm) {
    return new DelayedScaling(
        backend,
        history,
        multipliers,
        element,
        Objects.requireNonNull(newAlgorithm, "algorithm"),
        margin);
  }

  /** With a margin of that many powers of two below the largest code; at most 100 either way. */
  public DelayedScaling margin(int newMargin) {
    Range.check("margin", newMargin, newMargin >= -100 && newMargin <= 100, "in -100..100");
    return new DelayedScaling(backend, history, multipliers, element, algorithm, newMargin);
  }

  /**
   * Casts a tensor with its multiplier, writes the transposed codes and merges the largest
   * magnitude into the history, all in one crossing of the values. Decode with 1 / multiplier.
   *
   * @param tensor its number, from 0
   * @param values F32
   * @param codes U8, in the shape of the values
   * @param transposed U8 [columns, rows], or null for none
   */
  public void cast(int tensor, Tensor values, Tensor codes, Tensor transposed) {
    long tensors = multipliers.elements();
    Range.check("tensor", tensor, tensor >= 0 && tensor < tensors, "in 0.." + (tensors - 1));
    FormatChecks checks =
        new FormatChecks(backend)
            .reads("values", values, DType.F32)
            .writes("codes", codes, DType.U8)
            .writes("history", history, DType.F32)
            .reads("multipliers", multipliers, DType.F32);
    PlanChecks.like("codes", codes, values);
    ScaleGrid.Matrix matrix = ScaleGrid.Matrix.of(values.shape());
    if (transposed != null) {
      checks.writes("transposed codes", transposed, DType.U8);
      FormatChecks.shape("transposed codes", transposed, matrix.columns(), matrix.rows());
    }
    checks.done();
    if (values.elements() == 0) {
      return;
    }
    long tile = MeasureKernels.CAST_TILE;
    long units = Quantizer.covers(matrix.rows(), tile) * Quantizer.covers(matrix.columns(), tile);
    Engine engine = backend.engine();
    Tensor partial = engine.allocate(DType.F32, new long[] {units}, 0);
    try {
      engine.run(
          new KernelCall(MeasureKernels.CAST_TRANSPOSE)
              .arrays(values, codes, transposed, multipliers, partial)
              .integers(matrix.rows(), matrix.columns(), element.code(), tensor)
              .units(units, values.elements()));
      engine.run(
          new KernelCall(MeasureKernels.MAXIMUM)
              .arrays(partial, history)
              .integers(units, 2, tensor)
              .units(1, units));
    } finally {
      engine.release(partial);
    }
  }

  /** Ends a step: moves the history on and sets the multipliers. */
  public void update() {
    update(null);
  }

  /**
   * As {@link #update()}, with largest magnitudes measured elsewhere, which are merged first.
   *
   * @param measured F32 [tensors], or null for none
   */
  public void update(Tensor measured) {
    FormatChecks checks =
        new FormatChecks(backend)
            .writes("history", history, DType.F32)
            .writes("multipliers", multipliers, DType.F32);
    checks.readsIfThere("measured", measured, DType.F32, multipliers.elements());
    checks.done();
    backend
        .engine()
        .run(
            new KernelCall(MeasureKernels.DELAYED_SCALING)
                .arrays(history, multipliers, measured)
                .integers(
                    multipliers.elements(), history.shape()[0], algorithm == Algorithm.MAX ? 0 : 1)
                .numbers(Math.scalb((double) element.largest(), -margin))
                .units(multipliers.elements(), history.elements()));
  }
}
