package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A small native block through which CUDA calls take and give what does not fit a register: the
 * reason of a failure, one address out, and whatever the caller puts behind them. Used by one
 * thread at a time.
 */
final class CudaCall implements AutoCloseable {
  static final int REASON_BYTES = 1024;

  /** Where one address or number comes out. */
  static final int OUT = REASON_BYTES;

  /** From here on the block is the caller's. */
  static final int FREE = OUT + Long.BYTES;

  private final NativeMemory memory;
  private final ByteBuffer block;

  CudaCall(int freeBytes) {
    int bytes = FREE + freeBytes;
    memory = NativeMemory.allocate(bytes, 0);
    block = Addresses.buffer(memory.address(), bytes);
  }

  long reason() {
    return memory.address();
  }

  long at(int offset) {
    return memory.address() + offset;
  }

  ByteBuffer block() {
    return block;
  }

  /** What came out. */
  long out() {
    return block.getLong(OUT);
  }

  /**
   * Throws unless the status is a success.
   *
   * @throws OutOfMemoryError if the device has no memory
   * @throws IllegalStateException with the CUDA error's name and the kernel
   */
  void check(int status, String what) {
    if (status == 0) {
      return;
    }
    String text = what + ": " + text();
    switch (status) {
      case 1 -> throw new IllegalArgumentException(text);
      case 2 -> throw new OutOfMemoryError(text);
      default -> throw new IllegalStateException(text);
    }
  }

  private String text() {
    int end = 0;
    while (end < REASON_BYTES && block.get(end) != 0) {
      end++;
    }
    byte[] bytes = new byte[end];
    block.get(0, bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  @Override
  public void close() {
    memory.close();
  }
}
