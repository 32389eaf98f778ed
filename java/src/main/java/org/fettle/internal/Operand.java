package org.fettle.internal;

import java.util.Objects;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * An array of a primitive as it is stored: elements of a floating format, codes in blocks, or bf16
 * with a second bf16 array for what rounding left.
 *
 * @param tensor the elements; of a block-wise format the codes
 * @param elements how many there are
 * @param blocks null unless it is stored by blocks
 * @param compensation null unless it has one
 */
public record Operand(Tensor tensor, long elements, Blocks blocks, Tensor compensation) {
  private static final int BF16_COMPENSATED = 80;

  /** Checks that there is a tensor. */
  public Operand {
    Objects.requireNonNull(tensor, "tensor");
  }

  /** Elements of a floating format. */
  public static Operand of(Tensor tensor) {
    return new Operand(tensor, tensor.elements(), null, null);
  }

  /** Codes in blocks, all of one row. */
  public static Operand blocked(Tensor codes, long elements, Blocks blocks) {
    return new Operand(codes, elements, blocks, null);
  }

  /** A bf16 tensor with its compensation. */
  public static Operand compensated(Tensor tensor, Tensor compensation) {
    if (tensor.dtype() != DType.BF16 || compensation.dtype() != DType.BF16) {
      throw new IllegalArgumentException(
          tensor + " with compensation " + compensation + ": expected BF16 both");
    }
    return new Operand(tensor, tensor.elements(), null, compensation);
  }

  /** The number in the C ABI ({@code enum fettle_dtype}). */
  int code() {
    return blocks != null
        ? blocks.format().code()
        : compensation != null ? BF16_COMPENSATED : tensor.dtype().code();
  }

  /** What stands beside the tensor: scales, or the compensation; null for neither. */
  public Tensor companion() {
    return blocks != null ? blocks.scales() : compensation;
  }

  /** Elements of a block; 0 where there are none. */
  int blockSize() {
    return blocks == null ? 0 : blocks.size();
  }
}
