package org.fettle;

/** How the elements of a tensor are stored. All formats are little-endian. */
public enum DType {
  /** IEEE 754 binary32. */
  F32(0, 32, "F32"),
  /** bfloat16: the upper half of a binary32. */
  BF16(1, 16, "BF16"),
  /** IEEE 754 binary16. */
  F16(2, 16, "F16"),
  /** One bit per element: element i is bit {@code i % 8} of byte {@code i / 8}. Masks only. */
  BIT(3, 1, "U8"),
  /** Unsigned bytes: codes, and elements of less than 8 bits packed. */
  U8(4, 8, "U8"),
  /** Signed bytes. */
  I8(5, 8, "I8"),
  /** Signed 32-bit integers. */
  I32(6, 32, "I32"),
  /** Signed 64-bit integers. */
  I64(7, 64, "I64"),
  /** IEEE 754 binary64: sums, and what is solved on the host. */
  F64(8, 64, "F64");

  private final int code;
  private final int bits;
  private final String fileName;

  DType(int code, int bits, String fileName) {
    this.code = code;
    this.bits = bits;
    this.fileName = fileName;
  }

  /** The format's number in the C ABI ({@code enum fettle_dtype}). */
  public int code() {
    return code;
  }

  /** Bits of one element. */
  public int bits() {
    return bits;
  }

  /**
   * Bytes of that many elements, the last byte of a {@link #BIT} tensor counted whole.
   *
   * @throws ArithmeticException if the number does not fit a {@code long}
   */
  public long bytes(long elements) {
    Range.check("elements", elements, elements >= 0, ">= 0");
    return bits >= 8 ? Math.multiplyExact(elements, bits / 8) : Math.addExact(elements, 7) / 8;
  }

  /** The dtype word that safetensors files use for this format's bytes. */
  public String fileName() {
    return fileName;
  }

  /** Whether the format holds floating-point values that a step can compute with. */
  public boolean isFloating() {
    return this == F32 || this == BF16 || this == F16;
  }

  /** The alignment that a tensor's address must have, in bytes. */
  public int alignment() {
    return Math.max(1, bits / 8);
  }
}
