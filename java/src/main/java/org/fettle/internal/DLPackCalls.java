package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/** The DLPack part of the C ABI: {@code native/include/fettle/dlpack.h}. */
public final class DLPackCalls {
  // The fields of fettle_dlpack_view, in declaration order, each of eight bytes.
  private static final int SIZE = 0;
  private static final int DATA = 24;
  private static final int BYTES = 32;
  private static final int DTYPE = 40;
  private static final int DEVICE_KIND = 48;
  private static final int DEVICE_INDEX = 56;
  private static final int RANK = 64;
  private static final int SHAPE = 80;
  private static final int COPIED = 88;
  private static final int VIEW_BYTES = 96;

  private static final int REASON_BYTES = 256;
  private static final int OUT_OF_MEMORY = 2;

  private DLPackCalls() {}

  /** A tensor that was taken: what it is, and the duty to release it. */
  public static final class Taken implements Runnable {
    private final ByteBuffer view;

    private Taken(ByteBuffer view) {
      this.view = view;
    }

    /** Whether the producer says that it made a copy. */
    public boolean copied() {
      return view.getLong(COPIED) != 0;
    }

    /** The memory as a tensor that keeps {@code owner} reachable. */
    public Tensor tensor(Object owner) {
      int rank = Math.toIntExact(view.getLong(RANK));
      long[] shape = new long[rank];
      if (rank > 0) {
        Addresses.buffer(view.getLong(SHAPE), Math.multiplyExact(rank, 8))
            .asLongBuffer()
            .get(shape);
      }
      int index = Math.toIntExact(view.getLong(DEVICE_INDEX));
      Device device = view.getLong(DEVICE_KIND) == 0 ? Device.CPU : Device.cuda(index);
      return Tensor.ofAddress(
          view.getLong(DATA),
          view.getLong(BYTES),
          owner,
          device,
          dtype(view.getLong(DTYPE)),
          shape);
    }

    private static DType dtype(long code) {
      for (DType dtype : DType.values()) {
        if (dtype.code() == code) {
          return dtype;
        }
      }
      throw new IllegalStateException("dtype " + code);
    }

    /** Calls the producer's deleter, once however often this runs. */
    @Override
    public void run() {
      synchronized (view) {
        Native.dlpackRelease(view);
      }
    }
  }

  /** An offered tensor that nobody took yet. */
  public static final class Offered implements Runnable {
    private final int versioned;
    private long managed;

    private Offered(long managed, boolean versioned) {
      this.managed = managed;
      this.versioned = versioned ? 1 : 0;
    }

    /** The address of the managed tensor, 0 once it was handed over or deleted. */
    public synchronized long address() {
      return managed;
    }

    /** The address, and with it the duty to call the deleter; 0 the second time. */
    public synchronized long handOver() {
      long address = managed;
      managed = 0;
      return address;
    }

    /** Calls the deleter, unless somebody else has to. */
    @Override
    public void run() {
      Native.dlpackDelete(handOver(), versioned);
    }
  }

  /**
   * Takes over a managed tensor.
   *
   * @throws IllegalArgumentException if it is refused; it then still is the caller's
   */
  public static Taken take(long managed, boolean versioned) {
    requireLibrary();
    ByteBuffer view = view();
    ByteBuffer reason = direct(REASON_BYTES);
    LongBuffer place = direct(8).asLongBuffer().put(0, managed);
    int status = Native.dlpackTake(place, versioned ? 1 : 0, view, reason, REASON_BYTES);
    if (status != 0) {
      throw new IllegalArgumentException("DLPack tensor refused: " + text(reason));
    }
    return new Taken(view);
  }

  /**
   * Offers a tensor.
   *
   * @throws IllegalArgumentException if DLPack cannot say what it is
   */
  public static Offered offer(Tensor tensor, boolean versioned) {
    requireLibrary();
    if (tensor.owner() instanceof OwnedMemory) {
      throw new IllegalArgumentException(
          tensor + " is a plan's, which frees it when it is closed: expected memory with an owner");
    }
    long[] shape = tensor.shape();
    ByteBuffer extents = direct(Math.multiplyExact(8, Math.max(1, shape.length)));
    extents.asLongBuffer().put(shape);
    ByteBuffer view =
        view()
            .putLong(DATA, tensor.elements() == 0 ? 0 : tensor.address())
            .putLong(DTYPE, tensor.dtype().code())
            .putLong(DEVICE_KIND, tensor.device().kind() == Device.Kind.CPU ? 0 : 1)
            .putLong(DEVICE_INDEX, tensor.device().index())
            .putLong(RANK, shape.length)
            .putLong(SHAPE, Addresses.of(extents));
    ByteBuffer reason = direct(REASON_BYTES);
    LongBuffer managed = direct(8).asLongBuffer();
    long held = OwnerReferences.hold(tensor);
    int status;
    try {
      status =
          held == 0
              ? OUT_OF_MEMORY
              : Native.dlpackOffer(
                  view,
                  versioned ? 1 : 0,
                  held,
                  OwnerReferences.releaser(),
                  managed,
                  reason,
                  REASON_BYTES);
    } finally {
      Reference.reachabilityFence(extents);
    }
    if (status == 0) {
      return new Offered(managed.get(0), versioned);
    }
    if (held != 0) {
      OwnerReferences.release(held);
    }
    if (status == OUT_OF_MEMORY) {
      throw new OutOfMemoryError("no native memory for a DLPack tensor");
    }
    throw new IllegalArgumentException(tensor + " cannot be offered: " + text(reason));
  }

  private static void requireLibrary() {
    if (!NativeLibrary.isLoaded()) {
      throw new IllegalStateException("DLPack needs the native library: " + NativeLibrary.reason());
    }
  }

  private static ByteBuffer view() {
    return direct(VIEW_BYTES).putLong(SIZE, VIEW_BYTES);
  }

  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  private static String text(ByteBuffer reason) {
    byte[] bytes = new byte[REASON_BYTES];
    reason.get(0, bytes);
    int end = 0;
    while (bytes[end] != 0) {
      end++;
    }
    return new String(bytes, 0, end, StandardCharsets.UTF_8);
  }
}
