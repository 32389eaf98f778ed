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
  BIT(3, 1, "U8");

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
    return this != BIT;
  }

  /** The alignment that a tensor's address must have, in bytes. */
  public int alignment() {
    return Math.max(1, bits / 8);
  }
}
