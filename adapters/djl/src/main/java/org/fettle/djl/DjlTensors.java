package org.fettle.djl;

import ai.djl.ndarray.NDArray;
import java.nio.ByteBuffer;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;

/**
 * Views of DJL's arrays in host memory as Fettle's tensors: the same memory, kept reachable by the
 * view. Close the plan before the arrays, or their manager.
 *
 * <p>DJL's direct buffer of an array is a view where the engine can give one, and a copy where it
 * cannot, without a word. Asked twice, a view has one address and copies have two: that is how a
 * copy is told, and refused.
 */
public final class DjlTensors {
  private DjlTensors() {}

  /**
   * The array's own memory.
   *
   * @param name what messages call it
   * @param array dense, contiguous, on the CPU, of less than 2 GiB, of type FLOAT32, BFLOAT16,
   *     FLOAT16, UINT8, INT8, INT32, INT64 or FLOAT64
   * @throws IllegalArgumentException if it is none of these, or the engine would copy it
   */
  public static Tensor of(String name, NDArray array) {
    if (array == null || array.isReleased()) {
      throw new IllegalArgumentException(name + " is closed or null: expected an open array");
    }
    if (!array.getDevice().equals(ai.djl.Device.cpu())) {
      throw new IllegalArgumentException(
          name + " is on " + array.getDevice() + ": expected the CPU, for nothing is copied");
    }
    if (array.isSparse()) {
      throw new IllegalArgumentException(name + " is sparse: expected a dense array");
    }
    DType dtype = dtype(name, array);
    long[] shape = array.getShape().getShape();
    long bytes = Math.multiplyExact(array.size(), (long) dtype.bits() / 8);
    if (bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          name + " has " + bytes + " bytes: expected less than 2 GiB, the most that DJL views");
    }
    if (bytes == 0) {
      return Tensor.ofAddress(0, 0, array, Device.CPU, dtype, shape);
    }
    long address = viewed(name, array, dtype, shape);
    return Tensor.ofAddress(address, bytes, array, Device.CPU, dtype, shape);
  }

  private static long viewed(String name, NDArray array, DType dtype, long[] shape) {
    ByteBuffer first = array.toByteBuffer(true);
    ByteBuffer second = array.toByteBuffer(true);
    if (first.isDirect() && second.isDirect()) {
      // Both are alive, so that two copies cannot lie in one place.
      long address = Tensor.of(first, dtype, shape).address();
      if (address == Tensor.of(second, dtype, shape).address()) {
        return address;
      }
    }
    throw new IllegalArgumentException(
        name
            + " would be copied by its engine: expected a contiguous array of an engine that gives"
            + " views of its memory");
  }

  private static DType dtype(String name, NDArray array) {
    return switch (array.getDataType()) {
      case FLOAT32 -> DType.F32;
      case BFLOAT16 -> DType.BF16;
      case FLOAT16 -> DType.F16;
      case UINT8 -> DType.U8;
      case INT8 -> DType.I8;
      case INT32 -> DType.I32;
      case INT64 -> DType.I64;
      case FLOAT64 -> DType.F64;
      default ->
          throw new IllegalArgumentException(
              name
                  + " has type "
                  + array.getDataType()
                  + ": expected FLOAT32, BFLOAT16, FLOAT16, UINT8, INT8, INT32, INT64 or FLOAT64");
    };
  }
}
