package org.fettle.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * A tensor of any size as the Java backend sees it: buffers of at most 1 GiB each, read and written
 * in runs of elements that are copied to and from arrays.
 */
public final class Windows {
  /** Bytes of a window: a multiple of every format's size and of every chunk. */
  static final long WINDOW = 1L << 30;

  /** A window reaches this far into the next one, so that no run of elements crosses a border. */
  static final long OVERLAP = 8 * PlanSpec.CHUNK;

  private final DType dtype;
  private final long perWindow;
  private final FloatBuffer[] floats;
  private final ShortBuffer[] shorts;
  private final IntBuffer[] ints;
  private final LongBuffer[] longs;
  private final DoubleBuffer[] doubles;
  private final ByteBuffer[] bytes;

  Windows(Tensor tensor) {
    dtype = tensor.dtype();
    long total = tensor.bytes();
    int count = (int) ((total + WINDOW - 1) / WINDOW);
    perWindow = WINDOW * 8 / dtype.bits();
    floats = dtype == DType.F32 ? new FloatBuffer[count] : null;
    shorts = dtype.bits() == 16 ? new ShortBuffer[count] : null;
    ints = dtype == DType.I32 ? new IntBuffer[count] : null;
    longs = dtype == DType.I64 ? new LongBuffer[count] : null;
    doubles = dtype == DType.F64 ? new DoubleBuffer[count] : null;
    bytes = dtype.bits() <= 8 ? new ByteBuffer[count] : null;
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
      } else if (ints != null) {
        ints[i] = window.asIntBuffer();
      } else if (longs != null) {
        longs[i] = window.asLongBuffer();
      } else if (doubles != null) {
        doubles[i] = window.asDoubleBuffer();
      } else {
        bytes[i] = window;
      }
    }
  }

  /** The format of the elements. */
  public DType dtype() {
    return dtype;
  }

  /** Copies floats of an F32 tensor to the array's start: a run of at most 4,096 elements. */
  public void getFloats(long first, float[] to, int n) {
    floats[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  /** As the others. */
  public void putFloats(long first, float[] from, int n) {
    floats[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  /** As the others. */
  public void getShorts(long first, short[] to, int n) {
    shorts[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  /** As the others. */
  public void putShorts(long first, short[] from, int n) {
    shorts[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  /** Copies elements of a tensor of ints to the array's start: a run of at most 4,096. */
  public void getInts(long first, int[] to, int n) {
    ints[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  /** Copies the array's start to a tensor of ints: a run of at most 4,096 elements. */
  public void putInts(long first, int[] from, int n) {
    ints[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  /** Copies elements of a tensor of longs to the array's start: a run of at most 4,096. */
  public void getLongs(long first, long[] to, int n) {
    longs[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  /** Copies the array's start to a tensor of longs: a run of at most 4,096 elements. */
  public void putLongs(long first, long[] from, int n) {
    longs[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  /** Copies elements of a tensor of doubles to the array's start: a run of at most 4,096. */
  public void getDoubles(long first, double[] to, int n) {
    doubles[(int) (first / perWindow)].get((int) (first % perWindow), to, 0, n);
  }

  /** Copies the array's start to a tensor of doubles: a run of at most 4,096 elements. */
  public void putDoubles(long first, double[] from, int n) {
    doubles[(int) (first / perWindow)].put((int) (first % perWindow), from, 0, n);
  }

  /**
   * Copies elements of a tensor of elements of 8 bits or less, by byte, to the array's start: a run
   * of at most 4,096.
   */
  public void getBytes(long first, byte[] to, int n) {
    bytes[(int) (first / WINDOW)].get((int) (first % WINDOW), to, 0, n);
  }

  /**
   * Copies the array's start to a tensor of elements of 8 bits or less, by byte: a run of at most
   * 4,096 elements.
   */
  public void putBytes(long first, byte[] from, int n) {
    bytes[(int) (first / WINDOW)].put((int) (first % WINDOW), from, 0, n);
  }

  /** The byte that holds the bit of an element. */
  public byte getByte(long element) {
    long index = element / 8;
    return bytes[(int) (index / WINDOW)].get((int) (index % WINDOW));
  }
}
