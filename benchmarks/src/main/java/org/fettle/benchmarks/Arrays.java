package org.fettle.benchmarks;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.internal.Native;
import org.fettle.internal.NativeLibrary;

/**
 * The caller's arrays of a workload: on huge pages where large, no two kinds at the same offset in
 * their pages (nor at an offset of the states that a plan allocates). All contestants of a case
 * share them.
 */
final class Arrays implements AutoCloseable {
  private static final int LINE = 64;
  private static final int PATTERN = 1 << 16;

  private final List<Runnable> releases = new ArrayList<>();
  private final List<Parameter> parameters = new ArrayList<>();

  Arrays(Workload workload) {
    if (!NativeLibrary.isLoaded()) {
      throw new IllegalStateException(
          "benchmarks need the native library: " + NativeLibrary.reason());
    }
    Workload.Extra extra = workload.extra();
    Block values = new Block(workload, workload.storage().parameter, 0, 1);
    Block gradients = new Block(workload, workload.storage().gradient, 26 * LINE, 1);
    Block averages =
        extra == Workload.Extra.EMA ? new Block(workload, DType.F32, 60 * LINE, 1.0) : null;
    Block copies =
        extra == Workload.Extra.COPY ? new Block(workload, DType.BF16, 43 * LINE, 0) : null;
    Block masks = extra == Workload.Extra.MASK ? new Block(workload, DType.BIT, 9 * LINE, 1) : null;
    for (int i = 0; i < workload.tensors(); i++) {
      Parameter parameter = Parameter.of(values.tensor(i), gradients.tensor(i));
      if (averages != null) {
        parameter = parameter.withAverage(averages.tensor(i));
      }
      if (copies != null) {
        parameter = parameter.withCopy(copies.tensor(i));
      }
      if (masks != null) {
        parameter = parameter.withMask(masks.tensor(i));
      }
      parameters.add(parameter);
    }
  }

  /** All parameters, with what belongs to them. */
  List<Parameter> parameters() {
    return parameters;
  }

  /** One parameter, with what belongs to it. */
  Parameter parameter(int tensor) {
    return parameters.get(tensor);
  }

  /** A few bytes of every tensor's parameter, to see whether they change. */
  long fingerprint() {
    long hash = 0;
    for (Parameter parameter : parameters) {
      byte[] bytes = new byte[(int) Math.min(256, parameter.value().bytes())];
      new At(parameter.value().address()).limit(bytes.length).get(bytes);
      hash = 31 * hash + java.util.Arrays.hashCode(bytes);
    }
    return hash;
  }

  @Override
  public void close() {
    releases.forEach(Runnable::run);
    releases.clear();
  }

  /** A native address as a pointer. */
  static final class At extends BytePointer {
    At(long address) {
      super((Pointer) null);
      this.address = address;
    }
  }

  /** The arrays of one kind of all tensors, one behind the other. */
  private final class Block {
    private final Workload workload;
    private final DType dtype;
    private final long stride;
    private final long address;

    Block(Workload workload, DType dtype, long skew, double scale) {
      this.workload = workload;
      this.dtype = dtype;
      stride = (dtype.bytes(workload.elements()) + LINE - 1) / LINE * LINE;
      long bytes = stride * workload.tensors();
      address = Native.allocate(bytes, skew);
      if (address == 0) {
        throw new OutOfMemoryError("no native memory for " + bytes + " bytes");
      }
      releases.add(() -> Native.release(address, bytes, skew));
      fill(bytes, scale);
    }

    Tensor tensor(int index) {
      long bytes = dtype.bytes(workload.elements());
      return Tensor.ofAddress(
          address + index * stride, bytes, this, Device.CPU, dtype, workload.shape());
    }

    /** The same few random numbers again and again. */
    private void fill(long bytes, double scale) {
      ByteBuffer pattern =
          ByteBuffer.allocateDirect(PATTERN).order(java.nio.ByteOrder.nativeOrder());
      Random random = new Random(address);
      while (pattern.remaining() > 0) {
        float x = (float) (scale * random.nextGaussian());
        switch (dtype) {
          case F32 -> pattern.putFloat(x);
          case BF16 -> pattern.putShort((short) (Float.floatToRawIntBits(x) >>> 16));
          default -> pattern.put((byte) random.nextInt());
        }
      }
      Pointer source = new Pointer(pattern.flip());
      for (long at = 0; at < bytes; at += PATTERN) {
        Pointer.memcpy(new At(address + at), source, Math.min(PATTERN, bytes - at));
      }
    }
  }
}
