package org.fettle.nd4j;

import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Views of ND4J's arrays as Fettle's tensors: the same memory, kept reachable by the view. For the
 * CPU backend of ND4J.
 */
public final class Nd4jTensors {
  private Nd4jTensors() {}

  /**
   * The array's own memory, in its shape.
   *
   * @param name what messages call it
   * @param array of type FLOAT, BFLOAT16, HALF, DOUBLE, INT32, INT64, INT8 or UINT8, its elements
   *     one behind the other in c order; a view into a larger array is fine
   * @throws IllegalArgumentException if it is none of these; nothing was copied
   */
  public static Tensor of(String name, INDArray array) {
    require(name, array, 'c');
    return view(name, array, array.shape());
  }

  /**
   * The array's own memory as one axis, in the order of its elements in memory: c or f. For rules
   * that look at elements only.
   *
   * @param name what messages call it
   * @param array as for {@link #of}, in either order
   */
  public static Tensor flat(String name, INDArray array) {
    require(name, array, array == null ? 'c' : array.ordering());
    return view(name, array, array.length());
  }

  private static void require(String name, INDArray array, char order) {
    if (array == null || array.isEmpty()) {
      throw new IllegalArgumentException(name + " is empty: expected an array with elements");
    }
    long[] shape = array.shape();
    long expected = 1;
    for (int k = 0; k < shape.length; k++) {
      int axis = order == 'c' ? shape.length - 1 - k : k;
      if (shape[axis] != 1 && array.stride(axis) != expected) {
        throw new IllegalArgumentException(
            name
                + " has stride "
                + array.stride(axis)
                + " along axis "
                + axis
                + ": expected "
                + expected
                + " (contiguous, "
                + order
                + " order), for nothing is copied");
      }
      expected *= shape[axis];
    }
  }

  private static Tensor view(String name, INDArray array, long... shape) {
    DType dtype =
        switch (array.dataType()) {
          case FLOAT -> DType.F32;
          case BFLOAT16 -> DType.BF16;
          case HALF -> DType.F16;
          case DOUBLE -> DType.F64;
          case INT -> DType.I32;
          case LONG -> DType.I64;
          case BYTE -> DType.I8;
          case UBYTE -> DType.U8;
          default ->
              throw new IllegalArgumentException(
                  name
                      + " has type "
                      + array.dataType()
                      + ": expected FLOAT, BFLOAT16, HALF, DOUBLE, INT32, INT64, INT8 or UINT8");
        };
    DataBuffer data = array.data();
    // The buffer's address is that of its first element, whatever the offset of a view.
    long address = data.address() + array.offset() * data.getElementSize();
    return Tensor.ofAddress(
        address, array.length() * data.getElementSize(), array, Device.CPU, dtype, shape);
  }
}
