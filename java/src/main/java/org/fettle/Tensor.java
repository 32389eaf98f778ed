package org.fettle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;
import org.bytedeco.javacpp.Pointer;
import org.fettle.internal.Addresses;

/**
 * A view of memory that belongs to somebody else: where it is, how its elements are stored, its
 * shape. Elements are dense and in row-major order. Fettle never copies or frees the memory; the
 * view keeps its owner reachable.
 */
public final class Tensor {
  private final DType dtype;
  private final long[] shape;
  private final long elements;
  private final Device device;
  private final Object owner;
  private final ByteBuffer buffer;
  private final long address;

  private Tensor(
      DType dtype,
      long[] shape,
      long elements,
      Device device,
      Object owner,
      ByteBuffer buffer,
      long address) {
    this.dtype = dtype;
    this.shape = shape;
    this.elements = elements;
    this.device = device;
    this.owner = owner;
    this.buffer = buffer;
    this.address = address;
  }

  /**
   * Views the remaining bytes of a direct buffer, from its position on. Works where native access
   * is denied.
   *
   * @param memory a direct, writable buffer; its position and limit are read once, here
   * @param dtype how the elements are stored
   * @param shape the extents; no extents for a single element
   * @throws IllegalArgumentException if the buffer is not direct, is read-only, is misaligned for
   *     the dtype or holds fewer bytes than the shape needs
   */
  public static Tensor of(ByteBuffer memory, DType dtype, long... shape) {
    Objects.requireNonNull(memory, "memory");
    long elements = elementsOf(dtype, shape);
    if (!memory.isDirect()) {
      throw new IllegalArgumentException("buffer on the Java heap: expected a direct buffer");
    }
    if (memory.isReadOnly()) {
      throw new IllegalArgumentException("read-only buffer: expected a writable one");
    }
    checkBytes(dtype, shape, elements, memory.remaining(), "buffer");
    if (memory.alignmentOffset(memory.position(), dtype.alignment()) != 0) {
      throw new IllegalArgumentException(
          "buffer position "
              + memory.position()
              + ": expected an address aligned to "
              + dtype.alignment()
              + " bytes for "
              + dtype);
    }
    // What lies behind the last element is not the tensor's.
    ByteBuffer view =
        memory.slice(memory.position(), (int) dtype.bytes(elements)).order(ByteOrder.nativeOrder());
    return new Tensor(dtype, shape.clone(), elements, Device.CPU, memory, view, 0);
  }

  /**
   * Views what a JavaCPP pointer points to, from its position to its limit.
   *
   * @param memory a pointer with a known limit; its position is honoured
   * @param dtype how the elements are stored; not checked against the pointer's class
   * @param shape the extents
   * @throws IllegalArgumentException if the pointer is null, has no limit, is misaligned or holds
   *     fewer bytes than the shape needs
   */
  public static Tensor of(Pointer memory, DType dtype, long... shape) {
    Objects.requireNonNull(memory, "memory");
    if (memory.isNull()) {
      throw new IllegalArgumentException("null pointer: expected memory");
    }
    if (memory.limit() <= 0) {
      throw new IllegalArgumentException(
          "pointer without a limit: expected one, or use Tensor.ofAddress with the number of bytes");
    }
    long size = memory.sizeof();
    long bytes = Math.multiplyExact(memory.limit() - memory.position(), size);
    long start = memory.address() + memory.position() * size;
    return ofAddress(start, bytes, memory, Device.CPU, dtype, shape);
  }

  /**
   * Views memory at an address, on the CPU or on a CUDA device.
   *
   * @param address where the first element is
   * @param bytes how many bytes may be touched from there on
   * @param owner kept reachable as long as the view is; may be null if the memory outlives it
   *     anyway
   * @param device where the memory is
   * @param dtype how the elements are stored
   * @param shape the extents
   * @throws IllegalArgumentException if the address is 0 or misaligned, or the shape needs more
   *     bytes
   */
  public static Tensor ofAddress(
      long address, long bytes, Object owner, Device device, DType dtype, long... shape) {
    Objects.requireNonNull(device, "device");
    long elements = elementsOf(dtype, shape);
    checkBytes(dtype, shape, elements, bytes, "memory");
    if (address == 0 && elements > 0) {
      throw new IllegalArgumentException("address 0: expected memory");
    }
    if (address % dtype.alignment() != 0) {
      throw new IllegalArgumentException(
          String.format(
              "address 0x%x: expected one aligned to %d bytes for %s",
              address, dtype.alignment(), dtype));
    }
    return new Tensor(dtype, shape.clone(), elements, device, owner, null, address);
  }

  /**
   * Makes a zeroed tensor in a direct buffer of its own, freed by the garbage collector. A
   * convenience for tests and small programs; at most 2 GiB.
   */
  public static Tensor allocate(DType dtype, long... shape) {
    long bytes = dtype.bytes(elementsOf(dtype, shape));
    if (bytes > Integer.MAX_VALUE - 64) {
      throw new IllegalArgumentException(
          bytes + " bytes: expected at most 2 GiB; view memory of your own instead");
    }
    ByteBuffer memory = ByteBuffer.allocateDirect((int) bytes + 63);
    int start = (64 - memory.alignmentOffset(0, 64)) % 64;
    return of(memory.slice(start, (int) bytes), dtype, shape);
  }

  /** How the elements are stored. */
  public DType dtype() {
    return dtype;
  }

  /** The extents; a copy. */
  public long[] shape() {
    return shape.clone();
  }

  /** The number of extents. */
  public int rank() {
    return shape.length;
  }

  /** The number of elements. */
  public long elements() {
    return elements;
  }

  /** The number of bytes. */
  public long bytes() {
    return dtype.bytes(elements);
  }

  /** Where the memory is. */
  public Device device() {
    return device;
  }

  /** Whose memory it is, or null. */
  public Object owner() {
    return owner;
  }

  /**
   * The address of the first element.
   *
   * @throws IllegalStateException for a buffer, where neither native access nor a newer JDK can
   *     tell
   */
  public long address() {
    return buffer == null ? address : Addresses.of(buffer);
  }

  /**
   * A view of the same memory as bytes in native order, or null if the tensor was made from an
   * address.
   */
  public ByteBuffer buffer() {
    return buffer == null ? null : buffer.duplicate().order(ByteOrder.nativeOrder());
  }

  /** Whether both have the same extents. */
  public boolean hasShapeOf(Tensor other) {
    return Arrays.equals(shape, other.shape);
  }

  /** The dtype, extents and device, for messages. */
  @Override
  public String toString() {
    return dtype + Arrays.toString(shape) + " on " + device;
  }

  private static long elementsOf(DType dtype, long[] shape) {
    Objects.requireNonNull(dtype, "dtype");
    Objects.requireNonNull(shape, "shape");
    long elements = 1;
    for (long extent : shape) {
      if (extent < 0) {
        throw new IllegalArgumentException(
            "shape " + Arrays.toString(shape) + ": expected extents >= 0");
      }
      try {
        elements = Math.multiplyExact(elements, extent);
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException(
            "shape " + Arrays.toString(shape) + ": more than 2^63 elements", e);
      }
    }
    try {
      dtype.bytes(elements);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "shape " + Arrays.toString(shape) + ": more than 2^63 bytes", e);
    }
    return elements;
  }

  private static void checkBytes(
      DType dtype, long[] shape, long elements, long bytes, String what) {
    if (bytes < dtype.bytes(elements)) {
      throw new IllegalArgumentException(
          what
              + " of "
              + bytes
              + " bytes: expected at least "
              + dtype.bytes(elements)
              + " for "
              + dtype
              + Arrays.toString(shape));
    }
  }
}
