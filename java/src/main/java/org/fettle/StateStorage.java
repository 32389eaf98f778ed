package org.fettle;

import java.util.Objects;

/**
 * How a step of {@code org.fettle.steps} stores its states: as floats, in 16 bits, or by blocks in
 * a low-bit format; and whether bf16 parameters have a compensation.
 *
 * <p>States that differences are taken of (a starting point, a sum of changes) stay F32. A state in
 * 16 bits is rounded to nearest.
 *
 * @param dtype F32, BF16 or F16; F32 beside a format
 * @param format by blocks, where a tensor is large enough; null for none
 * @param compensated whether a bf16 parameter has a second bf16 tensor that holds what its rounding
 *     left (Kahan's sum): the step then works on the sum of both. Others are left as they are
 */
public record StateStorage(DType dtype, StateFormat format, boolean compensated) {
  /** Floats. */
  public static final StateStorage F32 = of(DType.F32);

  /** Checks that the formats fit each other. */
  public StateStorage {
    Objects.requireNonNull(dtype, "dtype");
    if (!dtype.isFloating()) {
      throw new IllegalArgumentException("states are " + dtype + ": expected F32, BF16 or F16");
    }
    if (format != null && dtype != DType.F32) {
      throw new IllegalArgumentException(
          "states are " + dtype + ": expected F32 beside " + format.kind());
    }
  }

  /** F32, BF16 or F16. */
  public static StateStorage of(DType dtype) {
    return new StateStorage(dtype, null, false);
  }

  /** By blocks; what the format does not fit stays F32. */
  public static StateStorage of(StateFormat format) {
    return new StateStorage(DType.F32, Objects.requireNonNull(format, "format"), false);
  }

  /** Whether states are in fewer bits than F32. */
  public boolean isRounded() {
    return format != null || dtype != DType.F32;
  }

  /** This, and bf16 parameters with a compensation. */
  public StateStorage withCompensation() {
    return new StateStorage(dtype, format, true);
  }
}
