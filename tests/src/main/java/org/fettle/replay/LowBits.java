package org.fettle.replay;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Engines;

/** Tensors of integers of any width, to and from arrays of doubles. */
final class LowBits {
  private LowBits() {}

  /** The elements; bytes of a U8 tensor are unsigned. */
  static double[] read(Workbench bench, Tensor tensor) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.toIntExact(tensor.bytes())).order(ByteOrder.nativeOrder());
    engine(bench).read(tensor, 0, bytes);
    bytes.flip().order(ByteOrder.nativeOrder());
    double[] values = new double[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (tensor.dtype()) {
            case U8 -> bytes.get() & 0xFF;
            case I8 -> bytes.get();
            case I32 -> bytes.getInt();
            case I64 -> bytes.getLong();
            case F32 -> bytes.getFloat();
            default -> throw new IllegalArgumentException(tensor + ": not an integer tensor");
          };
    }
    return values;
  }

  /** A tensor of bytes with these elements. */
  static Tensor bytes(Workbench bench, DType dtype, Values values) {
    Tensor tensor = bench.tensor(dtype, values.shape());
    ByteBuffer bytes = ByteBuffer.allocateDirect(values.length());
    for (int i = 0; i < values.length(); i++) {
      bytes.put((byte) values.get(i));
    }
    engine(bench).write(tensor, 0, bytes.flip());
    return tensor;
  }

  private static Engine engine(Workbench bench) {
    return Engines.named(bench.backend().name());
  }
}
