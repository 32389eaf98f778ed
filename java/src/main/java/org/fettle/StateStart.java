package org.fettle;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.internal.Blocks;
import org.fettle.internal.Engine;
import org.fettle.internal.Formats;
import org.fettle.internal.Philox;
import org.fettle.internal.PlanSpec;

/** Fills a state with what its rule lets it start with, through the engine that owns it. */
final class StateStart {
  private static final int BUFFER_BYTES = 1 << 20;

  // Behind the purposes of rounding: the draws that a state starts with.
  private static final int START_STREAM = 8;

  private final Engine engine;
  private final float mean;
  private final double deviation;
  private final long seed;
  private final int stream;
  private final int[] words = new int[4];

  StateStart(Engine engine, Rule rule, int state, long seed, int tensor) {
    this.engine = engine;
    mean = rule.initialState(state);
    deviation = rule.initialDeviation(state);
    this.seed = seed;
    stream = tensor * PlanSpec.STREAMS + START_STREAM + state;
  }

  private boolean isZero() {
    return mean == 0f && deviation == 0;
  }

  /**
   * Element e is mean + deviation * sqrt(-2 ln(1 - u1)) cos(2 pi u2), u1 and u2 from words 2e and
   * 2e + 1 at step 0, in double on the host.
   */
  private float value(long element) {
    if (deviation == 0) {
      return mean;
    }
    Philox.words(seed, element / 2, 0, stream, words, 0);
    int at = (int) (element % 2) * 2;
    double u1 = (words[at] >>> 8) * 0x1p-24;
    double u2 = (words[at + 1] >>> 8) * 0x1p-24;
    double normal = Math.sqrt(-2 * StrictMath.log(1 - u1)) * StrictMath.cos(2 * Math.PI * u2);
    return (float) (mean + deviation * normal);
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  /** An elementwise state. */
  void fill(Tensor state) {
    if (isZero()) {
      return;
    }
    ByteBuffer buffer = buffer(BUFFER_BYTES);
    long offset = 0;
    for (long element = 0; element < state.elements(); element++) {
      if (state.dtype() == DType.F32) {
        buffer.putFloat(value(element));
      } else {
        buffer.putShort(Formats.nearest(state.dtype(), value(element)));
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

  /** A block-wise state: codes and scales, row by row. */
  void fill(Tensor codes, Blocks blocks, long rows, long elements) {
    if (isZero() || elements == 0) {
      return;
    }
    int size = blocks.size();
    long rowLength = elements / rows;
    float[] values = new float[size];
    byte[] bytes = new byte[size];
    ByteBuffer codeBuffer = buffer(size);
    ByteBuffer scaleBuffer = buffer(Float.BYTES);
    long block = 0;
    for (long row = 0; row < rows; row++) {
      for (long within = 0; within < rowLength; within += size) {
        int n = (int) Math.min(size, rowLength - within);
        for (int i = 0; i < n; i++) {
          values[i] = value(row * rowLength + within + i);
        }
        float scale = blocks.format().encode(values, 0, n, n == size, bytes, 0);
        codeBuffer.clear().put(bytes, 0, (int) blocks.format().bytes(n)).flip();
        long at = row * blocks.format().bytes(rowLength) + blocks.format().bytes(within);
        engine.write(codes, at, codeBuffer);
        scaleBuffer.clear().putFloat(scale).flip();
        engine.write(blocks.scales(), block++ * Float.BYTES, scaleBuffer);
      }
    }
  }
}
