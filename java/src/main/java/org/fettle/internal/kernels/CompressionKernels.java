package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Trees;

/**
 * Compressed communication: twins of {@code native/src/kernels/compression.h}, which says what each
 * computes.
 */
public final class CompressionKernels {
  /** Adds a value to the error; sums of squares per chunk. */
  public static final Kernel MEMORY_ADD = new Kernel("memory_add", CompressionKernels::memoryAdd);

  /** Value plus error to int8 codes with a scale per block; keeps the error. */
  public static final Kernel BLOCK_ENCODE =
      new Kernel("residual_encode", CompressionKernels::blockEncode);

  /** Adds decoded blocks. */
  public static final Kernel BLOCK_DECODE_ADD =
      new Kernel("residual_decode_add", CompressionKernels::blockDecodeAdd);

  /** Signs of the error; keeps the error. */
  public static final Kernel SIGN_ENCODE =
      new Kernel("sign_encode", CompressionKernels::signEncode);

  /** Signs of values. */
  public static final Kernel SIGN_PACK = new Kernel("sign_pack", CompressionKernels::signPack);

  /** Adds decoded signs. */
  public static final Kernel SIGN_DECODE_ADD =
      new Kernel("sign_decode_add", CompressionKernels::signDecodeAdd);

  /** Votes of workers. */
  public static final Kernel SIGN_MAJORITY =
      new Kernel("sign_majority", CompressionKernels::signMajority);

  /** Bytes of magnitudes behind a prefix. */
  public static final Kernel LARGEST_HISTOGRAM =
      new Kernel("largest_histogram", CompressionKernels::largestHistogram);

  /** Elements above and at a threshold. */
  public static final Kernel LARGEST_COUNT =
      new Kernel("largest_count", CompressionKernels::largestCount);

  /** Moves the largest elements out of the error. */
  public static final Kernel LARGEST_TAKE =
      new Kernel("largest_take", CompressionKernels::largestTake);

  /** Adds values at indices. */
  public static final Kernel SPARSE_DECODE_ADD =
      new Kernel("sparse_decode_add", CompressionKernels::sparseDecodeAdd);

  private static final int CHUNK = RowChunks.CHUNK;
  private static final int LANES = 128;

  private CompressionKernels() {}

  private static int count(JavaCall call, long unit) {
    return (int) Math.min(CHUNK, call.integer(0) - unit * CHUNK);
  }

  private static void memoryAdd(JavaCall call, long first, long last) {
    float[] value = new float[CHUNK];
    float[] error = new float[CHUNK];
    double[] result = new double[1];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getFloats(unit * CHUNK, value, n);
      call.array(1).getFloats(unit * CHUNK, error, n);
      double[] lanes = new double[LANES];
      for (int i = 0; i < n; i++) {
        error[i] = value[i] + error[i];
        lanes[i % LANES] += (double) error[i] * error[i];
      }
      call.array(1).putFloats(unit * CHUNK, error, n);
      result[0] = Trees.sum(lanes, LANES);
      call.array(2).putDoubles(unit, result, 1);
    }
  }

  private static void blockEncode(JavaCall call, long first, long last) {
    float[] value = new float[CHUNK];
    float[] error = new float[CHUNK];
    byte[] codes = new byte[CHUNK];
    float[] scale = new float[1];
    long block = call.integer(1);
    for (long unit = first; unit < last; unit++) {
      long end = Math.min(call.integer(0), (unit + 1) * block);
      int largest = 0;
      for (long at = unit * block; at < end; at += CHUNK) {
        int n = (int) Math.min(CHUNK, end - at);
        call.array(0).getFloats(at, value, n);
        call.array(1).getFloats(at, error, n);
        for (int i = 0; i < n; i++) {
          error[i] = value[i] + error[i];
          // Magnitudes order as their bits do, NaN above all.
          largest = Math.max(largest, Float.floatToRawIntBits(error[i]) & 0x7FFFFFFF);
        }
        call.array(1).putFloats(at, error, n);
      }
      scale[0] =
          largest < 0x7F800000
              ? Float.intBitsToFloat(largest) / 127f
              : Float.intBitsToFloat(0x7FC00000);
      float inverse = scale[0] >= Float.MIN_NORMAL ? 1f / scale[0] : 0f;
      call.array(3).putFloats(unit, scale, 1);
      for (long at = unit * block; at < end; at += CHUNK) {
        int n = (int) Math.min(CHUNK, end - at);
        call.array(1).getFloats(at, error, n);
        for (int i = 0; i < n; i++) {
          float code = EstimatorKernels.nearest(inverse == 0f ? 0f : error[i] * inverse);
          codes[i] = (byte) (int) code;
          error[i] -= code * scale[0];
        }
        call.array(2).putBytes(at, codes, n);
        call.array(1).putFloats(at, error, n);
      }
    }
  }

  private static void blockDecodeAdd(JavaCall call, long first, long last) {
    byte[] codes = new byte[CHUNK];
    float[] out = new float[CHUNK];
    float[] scale = new float[1];
    float weight = (float) call.number(0);
    long block = call.integer(1);
    for (long unit = first; unit < last; unit++) {
      call.array(1).getFloats(unit, scale, 1);
      long end = Math.min(call.integer(0), (unit + 1) * block);
      for (long at = unit * block; at < end; at += CHUNK) {
        int n = (int) Math.min(CHUNK, end - at);
        call.array(0).getBytes(at, codes, n);
        call.array(2).getFloats(at, out, n);
        for (int i = 0; i < n; i++) {
          out[i] = Arithmetic.fma(weight, codes[i] * scale[0], out[i]);
        }
        call.array(2).putFloats(at, out, n);
      }
    }
  }

  private static void pack(float[] x, byte[] bits, int n) {
    for (int at = 0; at < n; at += 8) {
      int packed = 0;
      for (int i = at; i < Math.min(n, at + 8); i++) {
        packed |= (x[i] < 0f ? 0 : 1) << (i - at);
      }
      bits[at / 8] = (byte) packed;
    }
  }

  private static void signEncode(JavaCall call, long first, long last) {
    float[] error = new float[CHUNK];
    byte[] bits = new byte[CHUNK / 8];
    float scale = (float) call.number(0);
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getFloats(unit * CHUNK, error, n);
      pack(error, bits, n);
      for (int i = 0; i < n; i++) {
        error[i] = error[i] - (error[i] < 0f ? -scale : scale);
      }
      call.array(0).putFloats(unit * CHUNK, error, n);
      call.array(1).putBytes(unit * (CHUNK / 8), bits, (n + 7) / 8);
    }
  }

  private static void signPack(JavaCall call, long first, long last) {
    float[] x = new float[CHUNK];
    byte[] bits = new byte[CHUNK / 8];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getFloats(unit * CHUNK, x, n);
      pack(x, bits, n);
      call.array(1).putBytes(unit * (CHUNK / 8), bits, (n + 7) / 8);
    }
  }

  private static void signDecodeAdd(JavaCall call, long first, long last) {
    byte[] bits = new byte[CHUNK / 8];
    float[] out = new float[CHUNK];
    float scale = (float) call.number(0);
    float weight = (float) call.number(1);
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getBytes(unit * (CHUNK / 8), bits, (n + 7) / 8);
      call.array(1).getFloats(unit * CHUNK, out, n);
      for (int i = 0; i < n; i++) {
        boolean positive = (bits[i / 8] >> (i % 8) & 1) != 0;
        out[i] = Arithmetic.fma(weight, positive ? scale : -scale, out[i]);
      }
      call.array(1).putFloats(unit * CHUNK, out, n);
    }
  }

  private static void signMajority(JavaCall call, long first, long last) {
    byte[] bits = new byte[CHUNK / 8];
    byte[] direction = new byte[CHUNK];
    long stride = (call.integer(0) + 7) / 8;
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      int[] votes = new int[n];
      for (long w = 0; w < call.integer(1); w++) {
        call.array(0).getBytes(w * stride + unit * (CHUNK / 8), bits, (n + 7) / 8);
        for (int i = 0; i < n; i++) {
          votes[i] += (bits[i / 8] >> (i % 8) & 1) != 0 ? 1 : -1;
        }
      }
      for (int i = 0; i < n; i++) {
        direction[i] = (byte) Integer.signum(votes[i]);
      }
      call.array(1).putInts(unit * CHUNK, votes, n);
      call.array(2).putBytes(unit * CHUNK, direction, n);
    }
  }

  private static int magnitude(float x) {
    return Float.floatToRawIntBits(x) & 0x7FFFFFFF;
  }

  private static void largestHistogram(JavaCall call, long first, long last) {
    float[] x = new float[CHUNK];
    int shift = (int) call.integer(1);
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getFloats(unit * CHUNK, x, n);
      int[] counts = new int[256];
      for (int i = 0; i < n; i++) {
        long bits = magnitude(x[i]);
        if (bits >> (shift + 8) == call.integer(2)) {
          counts[(int) (bits >> shift) & 255]++;
        }
      }
      call.array(1).putInts(unit * 256, counts, 256);
    }
  }

  private static void largestCount(JavaCall call, long first, long last) {
    float[] x = new float[CHUNK];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getFloats(unit * CHUNK, x, n);
      int[] counts = new int[2];
      for (int i = 0; i < n; i++) {
        counts[0] += magnitude(x[i]) > call.integer(1) ? 1 : 0;
        counts[1] += magnitude(x[i]) == call.integer(1) ? 1 : 0;
      }
      call.array(1).putInts(2 * unit, counts, 2);
    }
  }

  private static void largestTake(JavaCall call, long first, long last) {
    float[] error = new float[CHUNK];
    int[] plan = new int[2];
    int[] indices = new int[CHUNK];
    float[] values = new float[CHUNK];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getFloats(unit * CHUNK, error, n);
      call.array(1).getInts(2 * unit, plan, 2);
      int taken = 0;
      for (int i = 0; i < n; i++) {
        int bits = magnitude(error[i]);
        if (bits < call.integer(1) || (bits == call.integer(1) && plan[1]-- <= 0)) {
          continue;
        }
        indices[taken] = (int) (unit * CHUNK + i);
        values[taken++] = error[i];
        error[i] = 0f;
      }
      call.array(2).putInts(plan[0], indices, taken);
      call.array(3).putFloats(plan[0], values, taken);
      call.array(0).putFloats(unit * CHUNK, error, n);
    }
  }

  private static void sparseDecodeAdd(JavaCall call, long first, long last) {
    int[] indices = new int[CHUNK];
    float[] values = new float[CHUNK];
    float[] one = new float[1];
    float weight = (float) call.number(0);
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      call.array(0).getInts(unit * CHUNK, indices, n);
      call.array(1).getFloats(unit * CHUNK, values, n);
      for (int i = 0; i < n; i++) {
        call.array(2).getFloats(indices[i], one, 1);
        one[0] = Arithmetic.fma(weight, values[i], one[0]);
        call.array(2).putFloats(indices[i], one, 1);
      }
    }
  }
}
