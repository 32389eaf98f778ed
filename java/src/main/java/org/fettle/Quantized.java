package org.fettle;

import java.util.Objects;

/**
 * Where a quantized tensor is: memory of the caller.
 *
 * @param codes one per byte, in the shape of the values
 * @param scales one per tile or block, in row-major order, any shape with as many elements
 * @param zeroPoints I32, as many as scales, for the asymmetric schemes; null otherwise
 * @param transposed codes of the transposed matrix, [columns, rows], written in the same pass; null
 *     for none
 * @param globalScale F32, one element, for NVFP4 with a global scale; null otherwise
 */
public record Quantized(
    Tensor codes, Tensor scales, Tensor zeroPoints, Tensor transposed, Tensor globalScale) {
  /** Checks that codes and scales are there. */
  public Quantized {
    Objects.requireNonNull(codes, "codes");
    Objects.requireNonNull(scales, "scales");
  }

  /** Codes and scales. */
  public static Quantized of(Tensor codes, Tensor scales) {
    return new Quantized(codes, scales, null, null, null);
  }

  /** With zero points. */
  public Quantized withZeroPoints(Tensor newZeroPoints) {
    return new Quantized(codes, scales, newZeroPoints, transposed, globalScale);
  }

  /** With the codes of the transposed matrix. */
  public Quantized withTransposed(Tensor newTransposed) {
    return new Quantized(codes, scales, zeroPoints, newTransposed, globalScale);
  }

  /** With a global scale. */
  public Quantized withGlobalScale(Tensor newGlobalScale) {
    return new Quantized(codes, scales, zeroPoints, transposed, newGlobalScale);
  }
}
