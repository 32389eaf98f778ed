package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.fettle.DType;
import org.fettle.Tensor;

/** What the calls of one method keep between them; freed together. */
public final class Scratch implements AutoCloseable {
  private final Engine engine;
  private final List<Tensor> tensors = new ArrayList<>();

  /** Scratch of an engine. */
  public Scratch(Engine engine) {
    this.engine = engine;
  }

  /** The engine. */
  public Engine engine() {
    return engine;
  }

  /** A zeroed tensor. */
  public Tensor tensor(DType dtype, long... shape) {
    Tensor tensor = engine.allocate(dtype, shape, tensors.size());
    tensors.add(tensor);
    return tensor;
  }

  /** A tensor with these values. */
  public Tensor longs(long... values) {
    Tensor tensor = tensor(DType.I64, values.length);
    ByteBuffer buffer = buffer(tensor.bytes());
    buffer.asLongBuffer().put(values);
    engine.write(tensor, 0, buffer);
    return tensor;
  }

  /** A tensor with these values. */
  public Tensor ints(int... values) {
    Tensor tensor = tensor(DType.I32, values.length);
    write(engine, tensor, values);
    return tensor;
  }

  /** A tensor with these values. */
  public Tensor doubles(double... values) {
    Tensor tensor = tensor(DType.F64, values.length);
    ByteBuffer buffer = buffer(tensor.bytes());
    buffer.asDoubleBuffer().put(values);
    engine.write(tensor, 0, buffer);
    return tensor;
  }

  /** The values of an I64 tensor. */
  public long[] longs(Tensor tensor) {
    long[] values = new long[Math.toIntExact(tensor.elements())];
    read(engine, tensor).asLongBuffer().get(values);
    return values;
  }

  /** The values of an F64 tensor. */
  public double[] doubles(Tensor tensor) {
    return doubles(engine, tensor);
  }

  /** The values of an I32 tensor. */
  public int[] ints(Tensor tensor) {
    return ints(engine, tensor);
  }

  /** The first values of part of an I32 tensor. */
  public void ints(Tensor tensor, long first, int[] to, int at, int n) {
    ByteBuffer buffer = buffer((long) n * Integer.BYTES);
    engine.read(tensor, first * Integer.BYTES, buffer);
    buffer.flip().order(ByteOrder.nativeOrder()).asIntBuffer().get(to, at, n);
  }

  /** The values of an F64 tensor. */
  public static double[] doubles(Engine engine, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    read(engine, tensor).asDoubleBuffer().get(values);
    return values;
  }

  /** The values of an I32 tensor. */
  public static int[] ints(Engine engine, Tensor tensor) {
    int[] values = new int[Math.toIntExact(tensor.elements())];
    read(engine, tensor).asIntBuffer().get(values);
    return values;
  }

  /** The values of an F32 tensor. */
  public static float[] floats(Engine engine, Tensor tensor) {
    float[] values = new float[Math.toIntExact(tensor.elements())];
    read(engine, tensor).asFloatBuffer().get(values);
    return values;
  }

  /** The bytes of a tensor. */
  public static byte[] bytes(Engine engine, Tensor tensor) {
    byte[] values = new byte[Math.toIntExact(tensor.bytes())];
    read(engine, tensor).get(values);
    return values;
  }

  /** Replaces the values of an I32 tensor. */
  public static void write(Engine engine, Tensor tensor, int[] values) {
    ByteBuffer buffer = buffer(tensor.bytes());
    buffer.asIntBuffer().put(values);
    engine.write(tensor, 0, buffer);
  }

  /** Replaces the values of an F32 tensor. */
  public static void write(Engine engine, Tensor tensor, float[] values) {
    ByteBuffer buffer = buffer(tensor.bytes());
    buffer.asFloatBuffer().put(values);
    engine.write(tensor, 0, buffer);
  }

  /** Replaces the bytes of a tensor. */
  public static void write(Engine engine, Tensor tensor, byte[] values) {
    ByteBuffer buffer = buffer(tensor.bytes());
    buffer.put(values).flip();
    engine.write(tensor, 0, buffer);
  }

  /** The same memory as unsigned bytes. */
  public static Tensor asBytes(Tensor tensor) {
    return tensor.buffer() != null
        ? Tensor.of(tensor.buffer(), DType.U8, tensor.bytes())
        : Tensor.ofAddress(
            tensor.address(), tensor.bytes(), tensor, tensor.device(), DType.U8, tensor.bytes());
  }

  private static ByteBuffer buffer(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
  }

  private static ByteBuffer read(Engine engine, Tensor tensor) {
    ByteBuffer buffer = buffer(tensor.bytes());
    engine.read(tensor, 0, buffer);
    return buffer.flip().order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() {
    tensors.forEach(engine::release);
    tensors.clear();
  }
}
