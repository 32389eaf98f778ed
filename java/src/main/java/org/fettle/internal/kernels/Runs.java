package org.fettle.internal.kernels;

import org.fettle.internal.Windows;

/** Runs of any length, in pieces that a window copies at once. */
final class Runs {
  private static final int PIECE = 4096;

  private final float[] floats = new float[PIECE];
  private final int[] ints = new int[PIECE];

  void read(Windows from, long first, float[] to, int n) {
    for (int at = 0; at < n; at += PIECE) {
      int m = Math.min(PIECE, n - at);
      from.getFloats(first + at, floats, m);
      System.arraycopy(floats, 0, to, at, m);
    }
  }

  void write(Windows to, long first, float[] from, int n) {
    for (int at = 0; at < n; at += PIECE) {
      int m = Math.min(PIECE, n - at);
      System.arraycopy(from, at, floats, 0, m);
      to.putFloats(first + at, floats, m);
    }
  }

  void read(Windows from, long first, int[] to, int n) {
    for (int at = 0; at < n; at += PIECE) {
      int m = Math.min(PIECE, n - at);
      from.getInts(first + at, ints, m);
      System.arraycopy(ints, 0, to, at, m);
    }
  }

  float one(Windows from, long at) {
    from.getFloats(at, floats, 1);
    return floats[0];
  }

  void one(Windows to, long at, float value) {
    floats[0] = value;
    to.putFloats(at, floats, 1);
  }
}
