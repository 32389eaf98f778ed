package org.fettle.internal;

import org.fettle.Tensor;

/**
 * How a block-wise operand is stored beside its codes. Every row of the reductions starts its
 * blocks and its bytes anew.
 *
 * @param format of the codes
 * @param size elements of a block; divides {@link PlanSpec#CHUNK}
 * @param scales an F32 tensor, one per block
 */
public record Blocks(BlockFormat format, int size, Tensor scales) {
  /** Bytes of the codes of so many rows. */
  public static long bytes(BlockFormat format, long rows, long rowLength) {
    return Math.multiplyExact(rows, format.bytes(rowLength));
  }

  /** Blocks of so many rows. */
  public static long count(int size, long rows, long rowLength) {
    return Math.multiplyExact(rows, (rowLength + size - 1) / size);
  }
}
