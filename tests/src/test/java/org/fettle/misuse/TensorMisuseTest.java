package org.fettle.misuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;
import org.fettle.internal.Addresses;
import org.junit.jupiter.api.Test;

/** What is no view of memory is refused, and says why; what is one views exactly that memory. */
class TensorMisuseTest {
  private static final String OF_BUFFER = "Tensor.of(ByteBuffer, DType, long[])";
  private static final String OF_POINTER = "Tensor.of(Pointer, DType, long[])";
  private static final String OF_ADDRESS =
      "Tensor.ofAddress(long, long, Object, Device, DType, long[])";

  private static ByteBuffer aligned(int bytes) {
    return ByteBuffer.allocateDirect(bytes + 128)
        .alignedSlice(64)
        .slice(0, bytes)
        .order(ByteOrder.nativeOrder());
  }

  @Test
  @Misuses(OF_BUFFER)
  void buffers() {
    ByteBuffer memory = aligned(64);
    Refusal.ofNull(() -> Tensor.of((ByteBuffer) null, DType.F32, 1));
    Refusal.ofNull(() -> Tensor.of(memory, null, 1));
    Refusal.ofNull(() -> Tensor.of(memory, DType.F32, (long[]) null));
    Refusal.ofArgument(
        () -> Tensor.of(ByteBuffer.allocate(64), DType.F32, 1), "heap", "expected a direct");
    Refusal.ofArgument(
        () -> Tensor.of(memory.asReadOnlyBuffer(), DType.F32, 1), "read-only", "writable");
    Refusal.ofArgument(
        () -> Tensor.of(memory, DType.F32, 17), "64 bytes", "at least 68", "F32[17]");
    Refusal.ofArgument(
        () -> Tensor.of(memory.duplicate().position(4), DType.F32, 4, 4), "60 bytes", "64");
    Refusal.ofArgument(
        () -> Tensor.of(memory.duplicate().limit(60), DType.F32, 16), "60 bytes", "64");
    Refusal.ofArgument(
        () -> Tensor.of(memory.duplicate().position(2), DType.F32, 1), "position 2", "4 bytes");
    Refusal.ofArgument(
        () -> Tensor.of(memory.duplicate().position(1), DType.BF16, 1), "position 1", "2 bytes");
    Refusal.ofArgument(() -> Tensor.of(memory, DType.F32, -1), "[-1]", "expected extents >= 0");
    Refusal.ofArgument(() -> Tensor.of(memory, DType.BIT, 513), "64 bytes", "at least 65");
    assertEquals(16, Tensor.of(memory, DType.F32, 16).elements());
    assertEquals(512, Tensor.of(memory, DType.BIT, 512).elements());
    assertEquals(1, Tensor.of(memory.duplicate().position(63), DType.BIT, 8).bytes());
  }

  @Test
  void aBufferIsReadOnceWhenTheTensorIsMade() {
    ByteBuffer memory = aligned(64);
    memory.position(8).limit(24);
    Tensor tensor = Tensor.of(memory, DType.F32, 4);
    memory.position(0).limit(4);
    assertEquals(16, tensor.buffer().remaining());
    memory.clear().putFloat(8, 2.5f);
    assertEquals(2.5f, tensor.buffer().getFloat(0));
    assertEquals(Addresses.of(memory) + 8, tensor.address());
  }

  @Test
  @Misuses(OF_POINTER)
  void pointers() {
    Refusal.ofNull(() -> Tensor.of((Pointer) null, DType.F32, 1));
    Refusal.ofArgument(() -> Tensor.of(new FloatPointer(), DType.F32, 1), "null pointer");
    try (FloatPointer floats = new FloatPointer(16)) {
      Refusal.ofArgument(
          () -> Tensor.of(floats, DType.F32, 17), "64 bytes", "at least 68", "F32[17]");
      Refusal.ofArgument(() -> Tensor.of(floats, DType.F32, -1), "[-1]");
      Refusal.ofNull(() -> Tensor.of(floats, null, 1));
      Pointer unlimited = new Pointer(floats).limit(0);
      Refusal.ofArgument(
          () -> Tensor.of(unlimited, DType.F32, 1), "without a limit", "Tensor.ofAddress");

      FloatPointer later = new FloatPointer(floats).position(4);
      Tensor tensor = Tensor.of(later, DType.F32, 12);
      assertEquals(floats.address() + 16, tensor.address());
      Refusal.ofArgument(() -> Tensor.of(later, DType.F32, 13), "48 bytes", "at least 52");
      assertEquals(24, Tensor.of(later.limit(10), DType.BF16, 12).bytes());
      Refusal.ofArgument(() -> Tensor.of(later, DType.F32, 7), "24 bytes", "at least 28");
      later.limit(3);
      Refusal.ofArgument(() -> Tensor.of(later, DType.F32, 1), "-4 bytes", "at least 4");

      Pointer bytes = new Pointer(floats).position(2).limit(64);
      Refusal.ofArgument(
          () -> Tensor.of(bytes, DType.F32, 1), "0x" + Long.toHexString(floats.address() + 2), "4");
      assertEquals(floats.address() + 2, Tensor.of(bytes, DType.F16, 1).address());
    }
    FloatPointer closed = new FloatPointer(16);
    closed.close();
    Refusal.ofArgument(() -> Tensor.of(closed, DType.F32, 1), "null pointer");
  }

  @Test
  @Misuses(OF_ADDRESS)
  void addresses() {
    Refusal.ofArgument(() -> Tensor.ofAddress(0, 64, null, Device.CPU, DType.F32, 1), "address 0");
    Refusal.ofArgument(
        () -> Tensor.ofAddress(4098, 64, null, Device.CPU, DType.F32, 1), "0x1002", "4", "F32");
    Refusal.ofArgument(
        () -> Tensor.ofAddress(4097, 64, null, Device.CPU, DType.F16, 1), "0x1001", "2", "F16");
    Refusal.ofArgument(
        () -> Tensor.ofAddress(4096, 63, null, Device.CPU, DType.F32, 16), "63 bytes", "64");
    Refusal.ofArgument(
        () -> Tensor.ofAddress(4096, -1, null, Device.CPU, DType.F32, 1), "-1 bytes", "4");
    Refusal.ofNull(() -> Tensor.ofAddress(4096, 64, null, null, DType.F32, 1));
    Refusal.ofNull(() -> Tensor.ofAddress(4096, 64, null, Device.CPU, null, 1));
    Refusal.ofArgument(
        () ->
            Tensor.ofAddress(4096, Long.MAX_VALUE, null, Device.CPU, DType.F32, 1L << 32, 1L << 31),
        "2^63 elements");
    Refusal.ofArgument(
        () -> Tensor.ofAddress(4096, Long.MAX_VALUE, null, Device.CPU, DType.F32, 1L << 62),
        "2^63 bytes");
    assertEquals(0, Tensor.ofAddress(0, 0, null, Device.CPU, DType.F32, 3, 0).elements());
    assertEquals(1, Tensor.ofAddress(4096, 4, null, Device.CPU, DType.F32).elements());
  }

  @Test
  @Misuses({"Tensor.allocate(DType, long[])", "Tensor.hasShapeOf(Tensor)"})
  void theRest() {
    Refusal.ofArgument(() -> Tensor.allocate(DType.F32, 1L << 30), "4294967296 bytes", "2 GiB");
    Refusal.ofArgument(() -> Tensor.allocate(DType.F32, -5), "[-5]");
    Refusal.ofNull(() -> Tensor.allocate(null, 1));
    Tensor tensor = Tensor.allocate(DType.F32, 2, 3);
    assertEquals(0, tensor.address() % 64);
    Refusal.ofNull(() -> tensor.hasShapeOf(null));
    assertFalse(tensor.hasShapeOf(Tensor.allocate(DType.F32, 3, 2)));
    assertFalse(tensor.hasShapeOf(Tensor.allocate(DType.F32, 6)));
    assertTrue(tensor.hasShapeOf(Tensor.allocate(DType.BF16, 2, 3)));
  }

  @Test
  void aTensorCannotBeChangedThroughWhatItGaveOut() {
    long[] shape = {4};
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    shape[0] = 1 << 20;
    tensor.shape()[0] = 1 << 20;
    tensor.buffer().position(8).limit(8);
    assertEquals(4, tensor.elements());
    assertEquals(4, tensor.shape()[0]);
    assertEquals(16, tensor.buffer().remaining());
  }
}
