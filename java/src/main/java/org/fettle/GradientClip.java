package org.fettle;

import java.util.Objects;

/**
 * Limits on the gradients of a step, fused into it. Values are clipped first, norms are of the
 * clipped values.
 *
 * @param value every gradient is limited to [-value, value]; {@code POSITIVE_INFINITY} for no limit
 * @param norm which norm is limited
 * @param maxNorm the largest norm; ignored where {@code norm} is {@link Norm#NONE}. The factor is
 *     {@code min(1, maxNorm / (norm + 1e-6))}, as in PyTorch's {@code clip_grad_norm_}
 */
public record GradientClip(double value, Norm norm, double maxNorm) {
  /** Which Euclidean norm is limited. */
  public enum Norm {
    /** None. */
    NONE(0),
    /** The norm of each tensor by itself. */
    TENSOR(1),
    /** One norm over all tensors of the plan that take part in the step. */
    GLOBAL(2);

    private final int code;

    Norm(int code) {
      this.code = code;
    }

    /** The number in the C ABI ({@code enum fettle_clip}). */
    public int code() {
      return code;
    }
  }

  /** No limit. */
  public static final GradientClip NONE = new GradientClip(Double.POSITIVE_INFINITY, Norm.NONE, 0);

  /** Checks the limits. */
  public GradientClip {
    Objects.requireNonNull(norm, "norm");
    if (!(value > 0)) {
      throw new IllegalArgumentException("clip value is " + value + ": expected > 0");
    }
    if (norm != Norm.NONE && !(maxNorm > 0 && maxNorm < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("maxNorm is " + maxNorm + ": expected finite and > 0");
    }
  }

  /** Limits every value to [-value, value]; NaN stays NaN. */
  public static GradientClip byValue(double value) {
    return new GradientClip(value, Norm.NONE, 0);
  }

  /** Limits the Euclidean norm of each tensor. */
  public static GradientClip byTensorNorm(double maxNorm) {
    return new GradientClip(Double.POSITIVE_INFINITY, Norm.TENSOR, maxNorm);
  }

  /** Limits the Euclidean norm over all tensors of the plan. */
  public static GradientClip byGlobalNorm(double maxNorm) {
    return new GradientClip(Double.POSITIVE_INFINITY, Norm.GLOBAL, maxNorm);
  }

  /** This, with values limited as well. */
  public GradientClip withValue(double newValue) {
    return new GradientClip(newValue, norm, maxNorm);
  }
}
