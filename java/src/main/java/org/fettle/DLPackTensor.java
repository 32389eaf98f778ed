package org.fettle;

import java.lang.ref.Cleaner;
import org.fettle.internal.DLPackCalls;

/**
 * A tensor that another library offered as DLPack: its memory, until the producer's deleter is
 * called. That happens once, in {@link #close} or when neither this nor {@link #tensor} is
 * reachable any more. Needs the native library.
 */
public final class DLPackTensor implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Tensor tensor;
  private final boolean copied;
  private final Cleaner.Cleanable cleanable;
  private volatile boolean closed;

  private DLPackTensor(DLPackCalls.Taken taken) {
    copied = taken.copied();
    // Where this throws, the deleter still is the caller's to call.
    tensor = taken.tensor(this);
    cleanable = CLEANER.register(this, taken);
  }

  /**
   * Takes over a {@code DLManagedTensorVersioned}: afterwards its deleter is this object's to call.
   *
   * @param address of version 1.x, writable, dense and row-major, of type f32, bf16, f16, f64, u8,
   *     i8, i32 or i64, on the CPU or a CUDA device
   * @throws IllegalArgumentException if it is none of these; the tensor still is the caller's
   * @throws IllegalStateException without the native library
   */
  public static DLPackTensor take(long address) {
    return new DLPackTensor(DLPackCalls.take(address, true));
  }

  /**
   * Takes over a {@code DLManagedTensor}.
   *
   * @param address as for {@link #take}, without a version
   */
  public static DLPackTensor takeUnversioned(long address) {
    return new DLPackTensor(DLPackCalls.take(address, false));
  }

  /**
   * The producer's memory. Not to be used after {@link #close}.
   *
   * @throws IllegalStateException after {@link #close}
   */
  public Tensor tensor() {
    if (closed) {
      throw new IllegalStateException("the tensor was given back to its producer");
    }
    return tensor;
  }

  /** Whether the producer says that this is a copy of its data: it does not see what is written. */
  public boolean isCopy() {
    return copied;
  }

  /** Calls the producer's deleter. Close plans over the tensor before. Closing twice is fine. */
  @Override
  public void close() {
    closed = true;
    cleanable.clean();
  }
}
