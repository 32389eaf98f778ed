package org.fettle.internal;

import java.nio.ByteBuffer;
import org.fettle.Tensor;

/** Bytes of tensors in this process's memory, to and from buffers. */
final class HostCopies {
  private HostCopies() {}

  static void read(Tensor from, long offset, ByteBuffer to) {
    to.put(part(from, offset, to.remaining()));
  }

  static void write(Tensor to, long offset, ByteBuffer from) {
    part(to, offset, from.remaining()).put(from);
  }

  private static ByteBuffer part(Tensor tensor, long offset, int bytes) {
    if (offset < 0 || offset + bytes > tensor.bytes()) {
      throw new IllegalArgumentException(
          "bytes "
              + offset
              + " to "
              + (offset + bytes)
              + " of "
              + tensor
              + ": expected at most "
              + tensor.bytes());
    }
    ByteBuffer whole = tensor.buffer();
    return whole != null
        ? whole.slice((int) offset, bytes)
        : Addresses.buffer(tensor.address() + offset, bytes);
  }
}
