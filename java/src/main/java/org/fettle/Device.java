package org.fettle;

import java.util.Objects;

/**
 * Where a tensor's memory is.
 *
 * @param kind the kind of memory
 * @param index the CUDA device's number; 0 for the CPU
 */
public record Device(Kind kind, int index) {
  /** Kinds of memory. */
  public enum Kind {
    /** Memory that the CPU reads and writes. */
    CPU,
    /** Memory of a CUDA device. */
    CUDA
  }

  /** The memory of this process. */
  public static final Device CPU = new Device(Kind.CPU, 0);

  /** Checks the number. */
  public Device {
    Objects.requireNonNull(kind, "kind");
    if (index < 0 || (kind == Kind.CPU && index != 0)) {
      throw new IllegalArgumentException(
          "device index "
              + index
              + " of "
              + kind
              + ": expected "
              + (kind == Kind.CPU ? "0" : ">= 0"));
    }
  }

  /** The memory of CUDA device {@code index}. */
  public static Device cuda(int index) {
    return new Device(Kind.CUDA, index);
  }

  @Override
  public String toString() {
    return kind == Kind.CPU ? "cpu" : "cuda:" + index;
  }
}
