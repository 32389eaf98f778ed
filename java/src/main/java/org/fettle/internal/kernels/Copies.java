package org.fettle.internal.kernels;

import org.fettle.internal.Windows;

/** Runs of any length between windows and arrays. */
final class Copies {
  private static final int RUN = 4096;

  private Copies() {}

  static float[] floats(Windows from, long first, long n) {
    float[] all = new float[Math.toIntExact(n)];
    float[] run = new float[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      from.getFloats(first + at, run, count);
      System.arraycopy(run, 0, all, at, count);
    }
    return all;
  }

  static double[] doubles(Windows from, long first, long n) {
    double[] all = new double[Math.toIntExact(n)];
    double[] run = new double[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      from.getDoubles(first + at, run, count);
      System.arraycopy(run, 0, all, at, count);
    }
    return all;
  }

  static int[] ints(Windows from, long first, long n) {
    int[] all = new int[Math.toIntExact(n)];
    int[] run = new int[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      from.getInts(first + at, run, count);
      System.arraycopy(run, 0, all, at, count);
    }
    return all;
  }

  static byte[] bytes(Windows from, long first, long n) {
    byte[] all = new byte[Math.toIntExact(n)];
    byte[] run = new byte[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      from.getBytes(first + at, run, count);
      System.arraycopy(run, 0, all, at, count);
    }
    return all;
  }

  static void put(Windows to, long first, float[] all) {
    float[] run = new float[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      System.arraycopy(all, at, run, 0, count);
      to.putFloats(first + at, run, count);
    }
  }

  static void put(Windows to, long first, double[] all) {
    double[] run = new double[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      System.arraycopy(all, at, run, 0, count);
      to.putDoubles(first + at, run, count);
    }
  }

  static void put(Windows to, long first, int[] all, int n) {
    int[] run = new int[Math.min(RUN, n)];
    for (int at = 0; at < n; at += RUN) {
      int count = Math.min(RUN, n - at);
      System.arraycopy(all, at, run, 0, count);
      to.putInts(first + at, run, count);
    }
  }

  static void put(Windows to, long first, byte[] all) {
    byte[] run = new byte[Math.min(RUN, all.length)];
    for (int at = 0; at < all.length; at += RUN) {
      int count = Math.min(RUN, all.length - at);
      System.arraycopy(all, at, run, 0, count);
      to.putBytes(first + at, run, count);
    }
  }

  /** Elements of 8, 16 or 32 bits, as they are stored. */
  static int[] words(Windows from, long first, int n, int bits) {
    int[] words = new int[n];
    if (bits == 32) {
      float[] floats = floats(from, first, n);
      for (int i = 0; i < n; i++) {
        words[i] = Float.floatToRawIntBits(floats[i]);
      }
    } else if (bits == 16) {
      short[] run = new short[Math.min(RUN, n)];
      for (int at = 0; at < n; at += RUN) {
        int count = Math.min(RUN, n - at);
        from.getShorts(first + at, run, count);
        for (int i = 0; i < count; i++) {
          words[at + i] = run[i] & 0xFFFF;
        }
      }
    } else {
      byte[] bytes = bytes(from, first, n);
      for (int i = 0; i < n; i++) {
        words[i] = bytes[i] & 0xFF;
      }
    }
    return words;
  }

  /** Back to elements of 8, 16 or 32 bits. */
  static void putWords(Windows to, long first, int[] words, int bits) {
    if (bits == 32) {
      float[] floats = new float[words.length];
      for (int i = 0; i < words.length; i++) {
        floats[i] = Float.intBitsToFloat(words[i]);
      }
      put(to, first, floats);
    } else if (bits == 16) {
      short[] run = new short[Math.min(RUN, words.length)];
      for (int at = 0; at < words.length; at += RUN) {
        int count = Math.min(RUN, words.length - at);
        for (int i = 0; i < count; i++) {
          run[i] = (short) words[at + i];
        }
        to.putShorts(first + at, run, count);
      }
    } else {
      byte[] bytes = new byte[words.length];
      for (int i = 0; i < words.length; i++) {
        bytes[i] = (byte) words[i];
      }
      put(to, first, bytes);
    }
  }
}
