package org.fettle;

import java.lang.ref.Cleaner;
import java.util.Objects;
import org.fettle.internal.DLPackCalls;

/**
 * A tensor offered to others as DLPack: the address of a managed tensor, which one taker consumes.
 *
 * <p>{@link #handOver} gives the address away, and with it the duty to call the tensor's deleter
 * once. Until that happens, on whatever thread, the tensor and with it the owner of its memory stay
 * reachable. What was not handed over is deleted by {@link #close}, or when the capsule is garbage.
 * Needs the native library.
 */
public final class DLPackCapsule implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final DLPackCalls.Offered offered;
  private final Cleaner.Cleanable cleanable;
  private final boolean versioned;

  private DLPackCapsule(DLPackCalls.Offered offered, boolean versioned) {
    this.offered = offered;
    this.versioned = versioned;
    cleanable = CLEANER.register(this, offered);
  }

  /**
   * Offers a tensor as a {@code DLManagedTensorVersioned} of version 1.0.
   *
   * @param tensor of any dtype but {@link DType#BIT}, whose bytes can be offered as U8; no state of
   *     a plan
   * @throws IllegalArgumentException if it is one of these
   * @throws IllegalStateException without the native library
   */
  public static DLPackCapsule of(Tensor tensor) {
    Objects.requireNonNull(tensor, "tensor");
    return new DLPackCapsule(DLPackCalls.offer(tensor, true), true);
  }

  /**
   * The same as a {@code DLManagedTensor}, for takers that know no versions.
   *
   * @param tensor as for {@link #of}
   */
  public static DLPackCapsule unversionedOf(Tensor tensor) {
    Objects.requireNonNull(tensor, "tensor");
    return new DLPackCapsule(DLPackCalls.offer(tensor, false), false);
  }

  /** Whether the address is that of a {@code DLManagedTensorVersioned}. */
  public boolean isVersioned() {
    return versioned;
  }

  /** Whether the tensor was handed over or deleted. */
  public boolean isConsumed() {
    return offered.address() == 0;
  }

  /**
   * Gives the managed tensor away.
   *
   * @return its address; who takes it must call its deleter once
   * @throws IllegalStateException the second time, or after {@link #close}
   */
  public long handOver() {
    long address = offered.handOver();
    if (address == 0) {
      throw new IllegalStateException("the capsule is consumed: expected one taker");
    }
    return address;
  }

  /** Deletes the managed tensor, if it was not handed over. Closing twice is fine. */
  @Override
  public void close() {
    cleanable.clean();
  }
}
