package org.fettle.internal.algebra;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engine;

/**
 * Device memory for matrices on their way through a library: one piece, which grows and is kept.
 * Copies wait for the device, so nothing uses the memory any more when it is replaced.
 */
final class DeviceDoubles {
  private static final int TILE = 1 << 17;
  // 256 bytes, as allocations of CUDA have it.
  private static final int ALIGNMENT = 32;

  private final Engine engine;
  private final ByteBuffer tile =
      ByteBuffer.allocateDirect(TILE * Double.BYTES).order(ByteOrder.nativeOrder());
  private Tensor memory;
  private long[] starts = new long[0];

  DeviceDoubles(Engine engine) {
    this.engine = engine;
  }

  /** Lays out arrays of so many doubles each; what lay there before is lost. */
  void lay(long... counts) {
    long[] places = new long[counts.length];
    long end = 0;
    for (int i = 0; i < counts.length; i++) {
      places[i] = end;
      end += (counts[i] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    if (memory == null || memory.elements() < end) {
      release();
      memory = engine.allocate(DType.F64, new long[] {end}, 0);
    }
    starts = places;
  }

  /** Where an array lies. */
  long address(int array) {
    return memory.address() + starts[array] * Double.BYTES;
  }

  /** Copies values to the beginning of an array. */
  void write(int array, double[] values) {
    for (int at = 0; at < values.length; at += TILE) {
      int n = Math.min(TILE, values.length - at);
      tile.clear().limit(n * Double.BYTES);
      tile.asDoubleBuffer().put(values, at, n);
      engine.write(memory, (starts[array] + at) * Double.BYTES, tile);
    }
  }

  /** Copies from the beginning of an array. */
  void read(int array, double[] values) {
    for (int at = 0; at < values.length; at += TILE) {
      int n = Math.min(TILE, values.length - at);
      tile.clear().limit(n * Double.BYTES);
      engine.read(memory, (starts[array] + at) * Double.BYTES, tile);
      tile.clear();
      tile.asDoubleBuffer().get(values, at, n);
    }
  }

  /** The first four bytes of an array, as an integer. */
  int readInteger(int array) {
    tile.clear().limit(Integer.BYTES);
    engine.read(memory, starts[array] * Double.BYTES, tile);
    return tile.getInt(0);
  }

  /** Frees the memory. */
  void release() {
    if (memory != null) {
      engine.release(memory);
      memory = null;
    }
  }
}
