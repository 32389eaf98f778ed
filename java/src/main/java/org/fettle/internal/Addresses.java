package org.fettle.internal;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** Addresses of direct buffers, and buffers at addresses. */
public final class Addresses {
  // MemorySegment.ofBuffer(Buffer).address(): no restricted method, so it works where native access
  // is denied.
  private static final MethodHandle SEGMENT_ADDRESS = segmentAddress();

  private Addresses() {}

  /** Whether {@link #of} can tell an address. */
  public static boolean known() {
    return SEGMENT_ADDRESS != null || NativeLibrary.isLoaded();
  }

  /**
   * The address of a direct buffer's first byte.
   *
   * @throws IllegalStateException where neither native access nor JDK 22 or newer can tell
   */
  public static long of(ByteBuffer buffer) {
    if (SEGMENT_ADDRESS != null) {
      try {
        return (long) SEGMENT_ADDRESS.invokeExact((Buffer) buffer.duplicate().rewind());
      } catch (Throwable e) {
        throw new IllegalStateException(e);
      }
    }
    if (!NativeLibrary.isLoaded()) {
      throw new IllegalStateException(
          "the address of a direct buffer is unknown without native access: "
              + NativeLibrary.reason());
    }
    return new Pointer(buffer.duplicate().rewind()).address();
  }

  /**
   * A buffer over memory at an address.
   *
   * @throws IllegalStateException where native access is denied
   */
  public static ByteBuffer buffer(long address, int bytes) {
    if (!NativeLibrary.isLoaded()) {
      throw new IllegalStateException(
          "memory at an address cannot be read without native access; use a direct buffer: "
              + NativeLibrary.reason());
    }
    if (bytes == 0) {
      // JavaCPP takes a limit of 0 for "unknown" and would make a buffer of one byte.
      return ByteBuffer.allocateDirect(0).order(ByteOrder.nativeOrder());
    }
    return new At(address, bytes).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  private static final class At extends BytePointer {
    At(long address, int bytes) {
      super((Pointer) null);
      this.address = address;
      this.capacity = bytes;
      this.limit = bytes;
    }
  }

  private static MethodHandle segmentAddress() {
    if (Runtime.version().feature() < 22) {
      return null;
    }
    try {
      Class<?> segment = Class.forName("java.lang.foreign.MemorySegment");
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      MethodHandle ofBuffer =
          lookup.findStatic(segment, "ofBuffer", MethodType.methodType(segment, Buffer.class));
      MethodHandle address =
          lookup.findVirtual(segment, "address", MethodType.methodType(long.class));
      return MethodHandles.filterReturnValue(ofBuffer, address);
    } catch (ReflectiveOperationException e) {
      return null;
    }
  }
}
