package org.fettle.internal.kernels;

import org.fettle.internal.Windows;

/** A run of elements of at most 4,096, as floats and as bytes. */
final class ByteRun {
  static final int LENGTH = 4096;

  final float[] floats = new float[LENGTH];
  final byte[] bytes = new byte[LENGTH];
  private final float[] oneFloat = new float[1];
  private final byte[] oneByte = new byte[1];
  private final int[] oneInt = new int[1];
  private final int[] words = new int[4];

  static int length(long first, long last) {
    return (int) Math.min(LENGTH, last - first);
  }

  float floatAt(Windows array, long index) {
    array.getFloats(index, oneFloat, 1);
    return oneFloat[0];
  }

  void putFloat(Windows array, long index, float value) {
    oneFloat[0] = value;
    array.putFloats(index, oneFloat, 1);
  }

  int byteAt(Windows array, long index) {
    array.getBytes(index, oneByte, 1);
    return oneByte[0] & 0xFF;
  }

  void putByte(Windows array, long index, int value) {
    oneByte[0] = (byte) value;
    array.putBytes(index, oneByte, 1);
  }

  int intAt(Windows array, long index) {
    array.getInts(index, oneInt, 1);
    return oneInt[0];
  }

  void putInt(Windows array, long index, int value) {
    oneInt[0] = value;
    array.putInts(index, oneInt, 1);
  }

  /** The random word of an element. */
  int word(long seed, int step, int stream, long element) {
    org.fettle.internal.Philox.words(seed, element >>> 2, step, stream, words, 0);
    return words[(int) (element & 3)];
  }
}
