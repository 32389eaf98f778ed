package org.fettle;

import java.util.Arrays;
import java.util.Objects;

/** Checks of the tensors of formats and products; every message names the tensor. */
final class FormatChecks {
  private final Backend backend;
  private final Spans spans = new Spans();

  FormatChecks(Backend backend) {
    this.backend = backend;
  }

  /** A tensor of a format that is read. */
  FormatChecks reads(String name, Tensor tensor, DType dtype) {
    return add(name, tensor, dtype, false);
  }

  /** A tensor of a format that is written. */
  FormatChecks writes(String name, Tensor tensor, DType dtype) {
    return add(name, tensor, dtype, true);
  }

  /** A tensor of floating-point numbers that is read. */
  FormatChecks readsFloats(String name, Tensor tensor) {
    return floats(name, tensor, false);
  }

  /** A tensor of floating-point numbers that is written. */
  FormatChecks writesFloats(String name, Tensor tensor) {
    return floats(name, tensor, true);
  }

  private FormatChecks floats(String name, Tensor tensor, boolean written) {
    Objects.requireNonNull(tensor, name);
    if (!tensor.dtype().isFloating()) {
      throw new IllegalArgumentException(
          name + " is " + tensor.dtype() + ": expected F32, BF16 or F16");
    }
    return add(name, tensor, tensor.dtype(), written);
  }

  /** A tensor that there may be or not. */
  FormatChecks readsIfThere(String name, Tensor tensor, DType dtype, long elements) {
    if (tensor != null) {
      reads(name, tensor, dtype);
      elements(name, tensor, elements);
    }
    return this;
  }

  private FormatChecks add(String name, Tensor tensor, DType dtype, boolean written) {
    Objects.requireNonNull(tensor, name);
    if (tensor.dtype() != dtype) {
      throw new IllegalArgumentException(name + " is " + tensor.dtype() + ": expected " + dtype);
    }
    PlanChecks.onDevice(name, tensor, backend);
    PlanChecks.notFreed(name, tensor, backend);
    spans.add(name, tensor, written);
    return this;
  }

  static void elements(String name, Tensor tensor, long expected) {
    if (tensor.elements() != expected) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected " + expected + " elements");
    }
  }

  static void shape(String name, Tensor tensor, long... expected) {
    if (!Arrays.equals(tensor.shape(), expected)) {
      throw new IllegalArgumentException(
          name + " is " + tensor + ": expected the shape " + Arrays.toString(expected));
    }
  }

  static void absent(String name, Tensor tensor, Object format) {
    if (tensor != null) {
      throw new IllegalArgumentException(name + " is " + tensor + ": expected none for " + format);
    }
  }

  static void matrix(String name, Tensor tensor) {
    if (tensor.rank() != 2) {
      throw new IllegalArgumentException(name + " is " + tensor + ": expected two axes");
    }
  }

  /** Refuses memory that is written and stands in two places. */
  void done() {
    spans.check();
  }
}
