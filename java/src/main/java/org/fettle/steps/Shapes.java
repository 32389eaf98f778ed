package org.fettle.steps;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.fettle.DType;
import org.fettle.Tensor;

/** Other views of a tensor's memory. */
final class Shapes {
  private Shapes() {}

  /** The same elements under another shape. */
  static Tensor view(Tensor tensor, long... shape) {
    return Arrays.equals(shape, tensor.shape()) ? tensor : part(tensor, 0, shape);
  }

  /** Elements from {@code first} on, under that shape. */
  static Tensor part(Tensor tensor, long first, long... shape) {
    DType dtype = tensor.dtype();
    ByteBuffer buffer = tensor.buffer();
    long bytes = dtype.bytes(first);
    if (buffer != null) {
      buffer.position((int) bytes);
      return Tensor.of(buffer, dtype, shape);
    }
    return Tensor.ofAddress(
        tensor.address() + bytes,
        tensor.bytes() - bytes,
        tensor.owner() == null ? tensor : tensor.owner(),
        tensor.device(),
        dtype,
        shape);
  }

  /** One index of the first axis. */
  static Tensor row(Tensor tensor, long index) {
    long[] shape = tensor.shape();
    long[] rest = Arrays.copyOfRange(shape, 1, shape.length);
    long length = shape[0] == 0 ? 0 : tensor.elements() / shape[0];
    return part(tensor, index * length, rest);
  }
}
