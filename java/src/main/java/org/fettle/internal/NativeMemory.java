package org.fettle.internal;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicLong;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/** Zeroed native memory for states and tables; freed explicitly, with a cleaner as a net. */
final class NativeMemory implements OwnedMemory, AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();
  private static final AtomicLong LIVE_BYTES = new AtomicLong();
  private static final long PAGE = 4096;
  // A quarter of a page and a line apart: consecutive arrays do not stall each other.
  private static final long SKEW = PAGE / 4 + 64;

  // For tests: how many more allocations succeed; negative for no limit.
  private static final AtomicLong ALLOCATIONS_LEFT = new AtomicLong(-1);

  private final long address;
  private final long bytes;
  private final Cleaner.Cleanable cleanable;
  private volatile boolean freed;

  private NativeMemory(long address, long bytes, long skew) {
    this.address = address;
    this.bytes = bytes;
    // The action must not refer to this object.
    cleanable =
        CLEANER.register(
            this,
            () -> {
              Native.release(address, bytes, skew);
              LIVE_BYTES.addAndGet(-bytes);
            });
  }

  /**
   * Allocates zeroed bytes.
   *
   * @throws OutOfMemoryError if there are none
   */
  static NativeMemory allocate(long bytes, int ordinal) {
    long skew = (ordinal + 1) * SKEW % PAGE / 64 * 64;
    long size = Math.max(bytes, 64);
    boolean allowed = ALLOCATIONS_LEFT.getAndUpdate(left -> left > 0 ? left - 1 : left) != 0;
    long address = allowed ? Native.allocate(size, skew) : 0;
    if (address == 0) {
      throw new OutOfMemoryError("no native memory for " + bytes + " bytes");
    }
    LIVE_BYTES.addAndGet(size);
    return new NativeMemory(address, size, skew);
  }

  /** For tests: lets only that many more allocations succeed; negative for no limit. */
  static void limitAllocations(long more) {
    ALLOCATIONS_LEFT.set(more);
  }

  /** Bytes that are allocated and not yet freed. */
  static long liveBytes() {
    return LIVE_BYTES.get();
  }

  /** A zeroed tensor. */
  static Tensor tensor(DType dtype, long[] shape, int ordinal) {
    long elements = 1;
    for (long extent : shape) {
      elements *= extent;
    }
    NativeMemory memory = allocate(dtype.bytes(elements), ordinal);
    return Tensor.ofAddress(memory.address, memory.bytes, memory, Device.CPU, dtype, shape);
  }

  @Override
  public boolean isFreed() {
    return freed;
  }

  /** Frees a tensor that {@link #tensor} made; leaves any other alone. */
  static void release(Tensor tensor) {
    if (tensor.owner() instanceof NativeMemory memory) {
      memory.close();
    }
  }

  long address() {
    return address;
  }

  long bytes() {
    return bytes;
  }

  @Override
  public void close() {
    freed = true;
    cleanable.clean();
  }
}
