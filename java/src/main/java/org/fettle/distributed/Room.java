package org.fettle.distributed;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Device;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;

/** Memory of one side of an exchange: direct buffers of the host, or memory of the device. */
final class Room implements AutoCloseable {
  private final Engine engine;
  private final List<Tensor> owned = new ArrayList<>();
  private boolean closed;

  Room(Backend backend) {
    engine = Access.engine(backend);
  }

  Engine engine() {
    return engine;
  }

  boolean isHost() {
    return engine.device().equals(Device.CPU);
  }

  /** A zeroed tensor. */
  Tensor tensor(DType dtype, long elements) {
    if (isHost()) {
      return Tensor.allocate(dtype, elements);
    }
    Tensor tensor = engine.allocate(dtype, new long[] {elements}, owned.size());
    owned.add(tensor);
    return tensor;
  }

  /** Replaces an F64 tensor of one element. */
  void write(Tensor tensor, double value) {
    engine.write(tensor, 0, bytes(Double.BYTES).putDouble(0, value));
  }

  /** An F64 tensor of one element. */
  double read(Tensor tensor) {
    ByteBuffer value = bytes(Double.BYTES);
    engine.read(tensor, 0, value);
    return value.getDouble(0);
  }

  static ByteBuffer bytes(int count) {
    return ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder());
  }

  /** Refuses what was closed. */
  void checkOpen(String what) {
    if (closed) {
      throw new IllegalStateException(what + " is closed");
    }
  }

  @Override
  public void close() {
    closed = true;
    owned.forEach(engine::release);
    owned.clear();
  }
}
