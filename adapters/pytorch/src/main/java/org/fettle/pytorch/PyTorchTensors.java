package org.fettle.pytorch;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.fettle.DType;
import org.fettle.Device;

/** Views of libtorch's tensors as Fettle's: the same memory, kept reachable by the view. */
public final class PyTorchTensors {
  private PyTorchTensors() {}

  /**
   * The tensor's own memory.
   *
   * @param name what messages call it
   * @param tensor dense, contiguous, of type Float, BFloat16, Half, Byte, Char, Int, Long or
   *     Double, on the CPU or a CUDA device
   * @throws IllegalArgumentException if it is none of these; nothing was copied
   */
  public static org.fettle.Tensor of(String name, Tensor tensor) {
    if (tensor == null || tensor.isNull() || !tensor.defined()) {
      throw new IllegalArgumentException(name + " is undefined: expected a tensor with storage");
    }
    DType dtype = dtype(name, tensor);
    if (!tensor.is_contiguous()) {
      throw new IllegalArgumentException(
          name + " is not contiguous: expected a contiguous tensor, for nothing is copied");
    }
    Device device = device(name, tensor);
    long[] shape = tensor.sizes().vec().get();
    Pointer data = tensor.data_ptr();
    return org.fettle.Tensor.ofAddress(
        data == null ? 0 : data.address(),
        Math.multiplyExact(tensor.numel(), tensor.itemsize()),
        tensor,
        device,
        dtype,
        shape);
  }

  private static DType dtype(String name, Tensor tensor) {
    torch.ScalarType type = tensor.scalar_type().intern();
    return switch (type) {
      case Float -> DType.F32;
      case BFloat16 -> DType.BF16;
      case Half -> DType.F16;
      case Byte -> DType.U8;
      case Char -> DType.I8;
      case Int -> DType.I32;
      case Long -> DType.I64;
      case Double -> DType.F64;
      default ->
          throw new IllegalArgumentException(
              name
                  + " has type "
                  + type
                  + ": expected Float, BFloat16, Half, Byte, Char, Int, Long or Double");
    };
  }

  private static Device device(String name, Tensor tensor) {
    if (tensor.is_cuda()) {
      return Device.cuda(tensor.device().index());
    }
    if (!tensor.is_cpu()) {
      throw new IllegalArgumentException(
          name + " is on " + tensor.device() + ": expected the CPU or a CUDA device");
    }
    return Device.CPU;
  }
}
