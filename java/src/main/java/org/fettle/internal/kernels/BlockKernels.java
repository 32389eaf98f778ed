package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.BlockFormat;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/** Blocks of codes, apart from a step: twins of {@code native/src/kernels/blocks.h}. */
public final class BlockKernels {
  private static final int RUN = 4096;

  /** Values to codes of a book, block by block; the C++ header says what the slots hold. */
  public static final Kernel CODE_BOOK_ENCODE =
      new Kernel("code_book_encode", BlockKernels::encode);

  /** Codes of a book to values. */
  public static final Kernel CODE_BOOK_DECODE =
      new Kernel("code_book_decode", BlockKernels::decode);

  /** Values to codes of a {@link BlockFormat} of 8 bits, whose number is integer 1. */
  public static final Kernel BLOCK_ENCODE = new Kernel("block_encode", BlockKernels::encodeFormat);

  private BlockKernels() {}

  private static void encode(JavaCall call, long first, long last) {
    int entries = (int) call.integer(1);
    float[] values = new float[entries];
    byte[] codes = new byte[entries];
    call.array(3).getFloats(0, values, entries);
    call.array(4).getBytes(0, codes, entries);
    boolean upper = call.integer(3) != 0;
    int bits = (int) call.integer(2);
    long size = call.integer(0);
    int zero = codeOf(values, codes, upper, 0f);
    float[] x = new float[RUN];
    byte[] stored = new byte[RUN];
    float[] scale = new float[1];
    for (long block = first; block < last; block++) {
      long start = block * size;
      long n = Math.min(size, call.elements(0) - start);
      float largest = 0f;
      for (long at = 0; at < n; at += RUN) {
        int run = (int) Math.min(RUN, n - at);
        call.array(0).getFloats(start + at, x, run);
        for (int i = 0; i < run; i++) {
          largest = Arithmetic.larger(Math.abs(x[i]), largest);
        }
      }
      boolean finite = Float.isFinite(largest);
      boolean divides = upper || n < size;
      float least = upper ? 1e-12f : 1e-38f;
      float divisor = largest > least ? largest : least;
      float factor = divides ? divisor : 1f / divisor;
      for (long at = 0; at < n; at += RUN) {
        int run = (int) Math.min(RUN, n - at);
        call.array(0).getFloats(start + at, x, run);
        for (int i = 0; i < run; i++) {
          float scaled = divides ? x[i] / factor : x[i] * factor;
          put(stored, bits, i, finite ? codeOf(values, codes, upper, scaled) : zero);
        }
        if (bits == 4 && run % 2 != 0) {
          put(stored, bits, run, zero);
        }
        call.array(1).putBytes((start + at) * bits / 8, stored, (run * bits + 7) / 8);
      }
      scale[0] = !finite ? Float.NaN : divides ? divisor : largest;
      call.array(2).putFloats(block, scale, 1);
    }
  }

  private static void encodeFormat(JavaCall call, long first, long last) {
    BlockFormat format = null;
    for (BlockFormat candidate : BlockFormat.values()) {
      format = candidate.code() == call.integer(1) ? candidate : format;
    }
    int size = Math.toIntExact(Math.min(call.integer(0), call.elements(0)));
    float[] x = new float[size];
    byte[] codes = new byte[size];
    float[] scale = new float[1];
    for (long block = first; block < last; block++) {
      long start = block * call.integer(0);
      int n = (int) Math.min(size, call.elements(0) - start);
      for (int at = 0; at < n; at += RUN) {
        int run = Math.min(RUN, n - at);
        float[] part = new float[run];
        call.array(0).getFloats(start + at, part, run);
        System.arraycopy(part, 0, x, at, run);
      }
      scale[0] = format.encode(x, 0, n, n == call.integer(0), codes, 0);
      for (int at = 0; at < n; at += RUN) {
        int run = Math.min(RUN, n - at);
        byte[] part = new byte[run];
        System.arraycopy(codes, at, part, 0, run);
        call.array(1).putBytes(start + at, part, run);
      }
      call.array(2).putFloats(block, scale, 1);
    }
  }

  private static void put(byte[] codes, int bits, int element, int code) {
    if (bits == 8) {
      codes[element] = (byte) code;
    } else if (element % 2 == 0) {
      codes[element / 2] = (byte) (code << 4);
    } else {
      codes[element / 2] |= (byte) code;
    }
  }

  private static int codeOf(float[] values, byte[] codes, boolean upper, float x) {
    int low = 0;
    int high = values.length - 1;
    while (low < high) {
      int middle = (low + high) / 2;
      float lower = values[middle];
      float next = values[middle + 1];
      boolean above = upper ? x - lower >= (next - lower) * 0.5f : x > (lower + next) * 0.5f;
      if (above) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return codes[low] & 0xFF;
  }

  private static void decode(JavaCall call, long first, long last) {
    int entries = (int) call.integer(1);
    float[] values = new float[entries];
    call.array(3).getFloats(0, values, entries);
    int bits = (int) call.integer(2);
    long size = call.integer(0);
    float[] x = new float[RUN];
    byte[] codes = new byte[RUN];
    float[] scale = new float[1];
    for (long block = first; block < last; block++) {
      long start = block * size;
      long n = Math.min(size, call.elements(0) - start);
      call.array(2).getFloats(block, scale, 1);
      for (long at = 0; at < n; at += RUN) {
        int run = (int) Math.min(RUN, n - at);
        call.array(1).getBytes((start + at) * bits / 8, codes, (run * bits + 7) / 8);
        for (int i = 0; i < run; i++) {
          int code = bits == 8 ? codes[i] & 0xFF : codes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
          // A code without a value is NaN.
          x[i] = (code < entries ? values[code] : Float.NaN) * scale[0];
        }
        call.array(0).putFloats(start + at, x, run);
      }
    }
  }
}
