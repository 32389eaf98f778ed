package org.fettle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.internal.Engine;
import org.fettle.internal.Formats;

/** Fills states with a value, through the engine that owns them. */
final class StateCopies {
  private static final int BUFFER_BYTES = 1 << 20;

  private StateCopies() {}

  static void fill(Engine engine, Tensor state, float value) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.nativeOrder());
    while (buffer.hasRemaining()) {
      if (state.dtype() == DType.F32) {
        buffer.putFloat(value);
      } else {
        buffer.putShort(Formats.nearest(state.dtype(), value));
      }
    }
    for (long offset = 0; offset < state.bytes(); offset += BUFFER_BYTES) {
      buffer.position(0).limit((int) Math.min(BUFFER_BYTES, state.bytes() - offset));
      engine.write(state, offset, buffer);
    }
  }
}
