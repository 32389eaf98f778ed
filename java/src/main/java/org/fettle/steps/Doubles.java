package org.fettle.steps;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.Tensor;
import org.fettle.internal.Engine;

/** F64 tensors to and from arrays. */
final class Doubles {
  private Doubles() {}

  static void write(Engine engine, Tensor to, double[] values) {
    ByteBuffer buffer = buffer(values.length);
    buffer.asDoubleBuffer().put(values);
    engine.write(to, 0, buffer);
  }

  static double[] read(Engine engine, Tensor from) {
    double[] values = new double[Math.toIntExact(from.elements())];
    ByteBuffer buffer = buffer(values.length);
    engine.read(from, 0, buffer);
    buffer.flip();
    buffer.order(ByteOrder.nativeOrder()).asDoubleBuffer().get(values);
    return values;
  }

  private static ByteBuffer buffer(int count) {
    return ByteBuffer.allocateDirect(Math.multiplyExact(count, Double.BYTES))
        .order(ByteOrder.nativeOrder());
  }
}
