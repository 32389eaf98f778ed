package org.fettle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.internal.Engine;
import org.fettle.internal.Formats;
import org.fettle.internal.Philox;
import org.fettle.internal.PlanSpec;

/** Fills states with a value, through the engine that owns them. */
final class StateCopies {
  private static final int BUFFER_BYTES = 1 << 20;

  // Behind the purposes of rounding: the draws that a state starts with.
  private static final int START_STREAM = 8;

  private StateCopies() {}

  /**
   * Fills a state with normal draws: element e is mean + deviation * sqrt(-2 ln(1 - u1)) cos(2 pi
   * u2), u1 and u2 from words 2e and 2e + 1 at step 0, in double on the host.
   */
  static void fillNormal(
      Engine engine, Tensor state, float mean, double deviation, long seed, int tensor, int index) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES).order(ByteOrder.nativeOrder());
    int[] words = new int[4];
    int stream = tensor * PlanSpec.STREAMS + START_STREAM + index;
    long offset = 0;
    for (long element = 0; element < state.elements(); element++) {
      if (element % 2 == 0) {
        Philox.words(seed, element / 2, 0, stream, words, 0);
      }
      int at = (int) (element % 2) * 2;
      double u1 = (words[at] >>> 8) * 0x1p-24;
      double u2 = (words[at + 1] >>> 8) * 0x1p-24;
      double normal = Math.sqrt(-2 * StrictMath.log(1 - u1)) * StrictMath.cos(2 * Math.PI * u2);
      float value = (float) (mean + deviation * normal);
      if (state.dtype() == DType.F32) {
        buffer.putFloat(value);
      } else {
        buffer.putShort(Formats.nearest(state.dtype(), value));
      }
      if (!buffer.hasRemaining() || element == state.elements() - 1) {
        buffer.flip();
        int bytes = buffer.remaining();
        engine.write(state, offset, buffer);
        offset += bytes;
        buffer.clear();
      }
    }
  }

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
