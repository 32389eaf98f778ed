package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * A tensor of any size as the Java backend sees it: buffers of at most 1 GiB each, read and written
 * in runs of elements that are copied to and from arrays.
 */
final class Windows {
  /** Bytes of a window: a multiple of every format's size and of every chunk. */
  static final long WINDOW = 1L << 30;

  /** A window reaches this far into the next one, so that no run of elements crosses a border. */
  static final long OVERLAP = 4 * PlanSpec.CHUNK;

  private final DType dtype;
  private final long perWindow;
  private final FloatBuffer[] floats;
  private final ShortBuffer[] shorts;
  private final ByteBuffer[] bytes;

  Windows(Tensor tensor) {
    dtype = tensor.dtype();
    long total = tensor.bytes();
    int count = (int) ((total + WINDOW - 1) / WINDOW);
    perWindow = WINDOW * 8 / dtype.bits();
    floats = dtype == DType.F32 ? new FloatBuffer[count] : null;
    shorts = dtype.bits() == 16 ? new ShortBuffer[count] : null;
    bytes = dtype == DType.BIT ? new ByteBuffer[count] : null;
    ByteBuffer whole = tensor.buffer();
    for (int i = 0; i < count; i++) {
      long start = i * WINDOW;
      int size = (int) Math.min(WINDOW + OVERLAP, total - start);
      ByteBuffer window =
          whole != null
              ? whole.slice((int) start, size).order(ByteOrder.nativeOrder())
              : Addresses.buffer(tensor.address() + start, size);
      if (floats != null) {
        floats[i] = window.asFloatBuffer();
      } else if (shorts != null) {
        shorts[i] = window.asShortBuffer();
      } else {
        bytes[i] = window;
      }
    }
  }

  DType dtype() {
    return dtype;
  }

  /** Copies floats of an F32 tensor to the array's start: a run of at most 4,096 elements. */
  void getFloats(long first, float[] to, int n) {
    floats[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  void putFloats(long first, float[] from, int n) {
    floats[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  void getShorts(long first, short[] to, int n) {
    shorts[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  void putShorts(long first, short[] from, int n) {
    shorts[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  /** The byte that holds the bit of an element. */
  byte getByte(long element) {
    long index = element / 8;
    return bytes[(int) (index / WINDOW)].get((int) (index % WINDOW));
  }
}
