package org.fettle.replay;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;
import org.fettle.internal.KernelCall;

/** Tensors where a backend wants them, with their values to and from arrays; frees them all. */
public final class Workbench implements AutoCloseable {
  private final Backend backend;
  private final Engine engine;
  private final List<Tensor> tensors = new ArrayList<>();

  /** A workbench of the backend of that name. */
  public Workbench(String backend) {
    this.backend = Backend.named(backend);
    engine = Engines.named(backend);
  }

  /** The backend. */
  public Backend backend() {
    return backend;
  }

  /** Runs a kernel. */
  public void run(KernelCall call) {
    engine.run(call);
  }

  /** A zeroed tensor. */
  public Tensor tensor(DType dtype, long... shape) {
    Tensor memory = engine.allocate(dtype, shape, tensors.size());
    tensors.add(memory);
    // A view: what an engine has allocated itself passes for a state, which no other plan may use.
    return memory.buffer() != null
        ? memory
        : Tensor.ofAddress(memory.address(), memory.bytes(), memory, memory.device(), dtype, shape);
  }

  /** An F32 tensor with these values. */
  public Tensor tensor(float[] values, long... shape) {
    Tensor tensor = tensor(DType.F32, shape);
    put(tensor, values);
    return tensor;
  }

  /** Replaces the values of an F32 tensor. */
  public void put(Tensor tensor, float[] values) {
    check(tensor, 32, values.length);
    ByteBuffer buffer = buffer(tensor);
    buffer.asFloatBuffer().put(values);
    engine.write(tensor, 0, buffer);
  }

  /** Replaces the codes of a tensor of 16-bit elements. */
  public void put(Tensor tensor, short[] codes) {
    check(tensor, 16, codes.length);
    ByteBuffer buffer = buffer(tensor);
    buffer.asShortBuffer().put(codes);
    engine.write(tensor, 0, buffer);
  }

  /** Replaces the values of an F64 tensor. */
  public void put(Tensor tensor, double[] values) {
    check(tensor, 64, values.length);
    ByteBuffer buffer = buffer(tensor);
    buffer.asDoubleBuffer().put(values);
    engine.write(tensor, 0, buffer);
  }

  /** The values of an F64 tensor. */
  public double[] doubles(Tensor tensor) {
    check(tensor, 64, tensor.elements());
    double[] values = new double[Math.toIntExact(tensor.elements())];
    read(tensor).asDoubleBuffer().get(values);
    return values;
  }

  /** Sets a BIT tensor: 1 where a value is not 0. */
  public void putBits(Tensor tensor, double[] values) {
    check(tensor, 1, values.length);
    ByteBuffer bytes = buffer(tensor);
    for (int i = 0; i < values.length; i++) {
      if (values[i] != 0) {
        bytes.put(i / 8, (byte) (bytes.get(i / 8) | 1 << i % 8));
      }
    }
    engine.write(tensor, 0, bytes);
  }

  /** Replaces the bytes of a tensor of bytes. */
  public void put(Tensor tensor, byte[] bytes) {
    if (tensor.bytes() != bytes.length) {
      throw new IllegalArgumentException(tensor + ": " + bytes.length + " bytes");
    }
    engine.write(tensor, 0, buffer(tensor).put(bytes).flip());
  }

  /** The bytes of a tensor. */
  public byte[] bytes(Tensor tensor) {
    byte[] bytes = new byte[Math.toIntExact(tensor.bytes())];
    read(tensor).get(bytes);
    return bytes;
  }

  /** The values of an F32 tensor. */
  public float[] floats(Tensor tensor) {
    check(tensor, 32, tensor.elements());
    float[] values = new float[Math.toIntExact(tensor.elements())];
    read(tensor).asFloatBuffer().get(values);
    return values;
  }

  /** The codes of a tensor of 16-bit elements. */
  public short[] codes(Tensor tensor) {
    check(tensor, 16, tensor.elements());
    short[] codes = new short[Math.toIntExact(tensor.elements())];
    read(tensor).asShortBuffer().get(codes);
    return codes;
  }

  /** The elements of a BIT tensor, as 0 and 1. */
  public double[] bits(Tensor tensor) {
    check(tensor, 1, tensor.elements());
    ByteBuffer bytes = read(tensor);
    double[] values = new double[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = bytes.get(i / 8) >> (i % 8) & 1;
    }
    return values;
  }

  /** A BIT tensor with these elements, 0 or 1. */
  public Tensor mask(double[] bits, long... shape) {
    Tensor tensor = tensor(DType.BIT, shape);
    ByteBuffer buffer = buffer(tensor);
    for (int i = 0; i < bits.length; i++) {
      buffer.put(i / 8, (byte) (buffer.get(i / 8) | (bits[i] != 0 ? 1 << i % 8 : 0)));
    }
    engine.write(tensor, 0, buffer);
    return tensor;
  }

  /** The elements of an I32 or U8 tensor; bytes are unsigned. */
  public double[] integers(Tensor tensor) {
    ByteBuffer buffer = read(tensor);
    double[] values = new double[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.dtype() == DType.I32 ? buffer.getInt(4 * i) : buffer.get(i) & 0xFF;
    }
    return values;
  }

  private static void check(Tensor tensor, int bits, long elements) {
    if (tensor.dtype().bits() != bits || tensor.elements() != elements) {
      throw new IllegalArgumentException(
          tensor + ": expected " + elements + " elements of " + bits + " bits");
    }
  }

  private static ByteBuffer buffer(Tensor tensor) {
    return ByteBuffer.allocateDirect(Math.toIntExact(tensor.bytes()))
        .order(ByteOrder.nativeOrder());
  }

  private ByteBuffer read(Tensor tensor) {
    ByteBuffer buffer = buffer(tensor);
    engine.read(tensor, 0, buffer);
    return buffer.flip().order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    tensors.forEach(engine::release);
    tensors.clear();
  }
}
