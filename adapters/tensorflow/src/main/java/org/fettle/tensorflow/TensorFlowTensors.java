package org.fettle.tensorflow;

import org.fettle.DType;
import org.fettle.Device;
import org.tensorflow.Tensor;
import org.tensorflow.ndarray.buffer.DataStorageVisitor;

/**
 * Views of TensorFlow's tensors in host memory as Fettle's: the same memory, kept reachable by the
 * view. Close the plan before the tensors. Variables live inside the runtime and have no address
 * here: feed tensors in their place.
 */
public final class TensorFlowTensors {
  private TensorFlowTensors() {}

  /**
   * The tensor's own memory.
   *
   * @param name what messages call it
   * @param tensor of type DT_FLOAT, DT_BFLOAT16, DT_HALF, DT_UINT8, DT_INT8, DT_INT32, DT_INT64 or
   *     DT_DOUBLE
   * @throws IllegalArgumentException if it is none of these; nothing was copied
   */
  public static org.fettle.Tensor of(String name, Tensor tensor) {
    if (tensor == null) {
      throw new IllegalArgumentException(name + " is null: expected a tensor");
    }
    if (tensor.isSparse()) {
      throw new IllegalArgumentException(name + " is sparse: expected a dense tensor");
    }
    DType dtype = dtype(name, tensor);
    long address = tensor.numBytes() == 0 ? 0 : tensor.asRawTensor().data().accept(new Address());
    if (address == Address.UNKNOWN) {
      throw new IllegalArgumentException(
          name + " does not tell its address: expected a tensor in native memory");
    }
    return org.fettle.Tensor.ofAddress(
        address, tensor.numBytes(), tensor, Device.CPU, dtype, tensor.shape().asArray());
  }

  private static DType dtype(String name, Tensor tensor) {
    return switch (tensor.dataType()) {
      case DT_FLOAT -> DType.F32;
      case DT_BFLOAT16 -> DType.BF16;
      case DT_HALF -> DType.F16;
      case DT_UINT8 -> DType.U8;
      case DT_INT8 -> DType.I8;
      case DT_INT32 -> DType.I32;
      case DT_INT64 -> DType.I64;
      case DT_DOUBLE -> DType.F64;
      default ->
          throw new IllegalArgumentException(
              name
                  + " has type "
                  + tensor.dataType()
                  + ": expected DT_FLOAT, DT_BFLOAT16, DT_HALF, DT_UINT8, DT_INT8, DT_INT32,"
                  + " DT_INT64 or DT_DOUBLE");
    };
  }

  /** TensorFlow tells the address of native memory to a visitor, and to nobody else. */
  private static final class Address implements DataStorageVisitor<Long> {
    static final long UNKNOWN = -1;

    @Override
    public Long visit(long address, long length, long scale) {
      return address;
    }

    @Override
    public Long fallback() {
      return UNKNOWN;
    }
  }
}
