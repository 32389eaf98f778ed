package org.fettle.internal.kernels;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.MinifloatCodec;

/**
 * Casts, microscaling and NVFP4: twins of {@code native/src/kernels/formats/minifloats.h}, which
 * tells the arrays and integers of a call.
 */
public final class MinifloatKernels {
  /** Codes of floats. */
  public static final Kernel ENCODE = new Kernel("minifloat_encode", MinifloatKernels::encode);

  /** Floats of codes. */
  public static final Kernel DECODE = new Kernel("minifloat_decode", MinifloatKernels::decode);

  /** Blocks of 32 with an E8M0 scale. */
  public static final Kernel MICROSCALING_ENCODE =
      new Kernel("microscaling_encode", MinifloatKernels::microscalingEncode);

  /** Their values. */
  public static final Kernel MICROSCALING_DECODE =
      new Kernel("microscaling_decode", MinifloatKernels::microscalingDecode);

  /** Blocks of 16 with an E4M3 scale, and a global one. */
  public static final Kernel NVFP4_ENCODE =
      new Kernel("nvfp4_encode", MinifloatKernels::nvfp4Encode);

  /** Their values. */
  public static final Kernel NVFP4_DECODE =
      new Kernel("nvfp4_decode", MinifloatKernels::nvfp4Decode);

  private static final int UNIT_BLOCKS = 64;
  private static final int BLOCK = 32;
  private static final int NVFP4_BLOCK = 16;
  private static final long E4M3 = 0;
  private static final long E2M1 = 4;

  private MinifloatKernels() {}

  private static void cast(
      JavaCall call, MinifloatCodec codec, ByteRun run, int from, int n, float by, long element) {
    boolean stochastic = call.integer(3) != 0;
    for (int i = from; i < from + n; i++) {
      float x = MinifloatCodec.scaledBy(run.floats[i], by);
      if (stochastic) {
        int word =
            run.word(
                call.integer(4), (int) call.integer(5), (int) call.integer(6), element + i - from);
        run.bytes[i] = (byte) codec.stochastic(x, word);
      } else {
        run.bytes[i] = (byte) codec.nearest(x);
      }
    }
  }

  private static void encode(JavaCall call, long first, long last) {
    MinifloatCodec codec = MinifloatCodec.of(call.integer(1), call.integer(2) != 0);
    ByteRun run = new ByteRun();
    long end = Math.min(last * ByteRun.LENGTH, call.integer(0));
    for (long at = first * ByteRun.LENGTH; at < end; at += ByteRun.LENGTH) {
      int n = ByteRun.length(at, end);
      call.array(0).getFloats(at, run.floats, n);
      cast(call, codec, run, 0, n, 1f, at);
      call.array(1).putBytes(at, run.bytes, n);
    }
  }

  private static void decode(JavaCall call, long first, long last) {
    boolean scale = MinifloatCodec.isScale(call.integer(1));
    MinifloatCodec codec = MinifloatCodec.of(call.integer(1), true);
    ByteRun run = new ByteRun();
    long end = Math.min(last * ByteRun.LENGTH, call.integer(0));
    for (long at = first * ByteRun.LENGTH; at < end; at += ByteRun.LENGTH) {
      int n = ByteRun.length(at, end);
      call.array(1).getBytes(at, run.bytes, n);
      for (int i = 0; i < n; i++) {
        int code = run.bytes[i] & 0xFF;
        run.floats[i] = scale ? MinifloatCodec.decodeScale(code) : codec.decode(code);
      }
      call.array(0).putFloats(at, run.floats, n);
    }
  }

  private static int largest(float[] values, int n) {
    int largest = 0;
    for (int i = 0; i < n; i++) {
      largest = Math.max(largest, Float.floatToRawIntBits(values[i]) & 0x7FFFFFFF);
    }
    return largest;
  }

  private static void microscalingEncode(JavaCall call, long first, long last) {
    MinifloatCodec codec = MinifloatCodec.of(call.integer(1), true);
    ByteRun run = new ByteRun();
    long end = Math.min(last * UNIT_BLOCKS, call.integer(0));
    for (long block = first * UNIT_BLOCKS; block < end; block++) {
      long at = block * BLOCK;
      call.array(0).getFloats(at, run.floats, BLOCK);
      int scale = codec.scale(call.integer(2), largest(run.floats, BLOCK));
      run.putByte(call.array(2), block, scale);
      if (scale == 255) {
        java.util.Arrays.fill(run.bytes, 0, BLOCK, (byte) codec.blockNan());
      } else {
        cast(call, codec, run, 0, BLOCK, MinifloatCodec.decodeScale(254 - scale), at);
      }
      call.array(1).putBytes(at, run.bytes, BLOCK);
    }
  }

  private static void microscalingDecode(JavaCall call, long first, long last) {
    MinifloatCodec codec = MinifloatCodec.of(call.integer(1), true);
    ByteRun run = new ByteRun();
    long end = Math.min(last * UNIT_BLOCKS, call.integer(0));
    for (long block = first * UNIT_BLOCKS; block < end; block++) {
      float scale = MinifloatCodec.decodeScale(run.byteAt(call.array(2), block));
      call.array(1).getBytes(block * BLOCK, run.bytes, BLOCK);
      for (int i = 0; i < BLOCK; i++) {
        run.floats[i] = codec.decode(run.bytes[i] & 0xFF) * scale;
      }
      call.array(0).putFloats(block * BLOCK, run.floats, BLOCK);
    }
  }

  private static void nvfp4Encode(JavaCall call, long first, long last) {
    MinifloatCodec element = MinifloatCodec.of(E2M1, true);
    MinifloatCodec scales = MinifloatCodec.of(E4M3, true);
    ByteRun run = new ByteRun();
    boolean twoLevels = call.array(3) != null;
    float global = twoLevels ? run.floatAt(call.array(3), 0) : 1f;
    long end = Math.min(last * UNIT_BLOCKS, call.integer(0));
    for (long block = first * UNIT_BLOCKS; block < end; block++) {
      long at = block * NVFP4_BLOCK;
      call.array(0).getFloats(at, run.floats, NVFP4_BLOCK);
      float amax = Float.intBitsToFloat(largest(run.floats, NVFP4_BLOCK));
      int code = 0x7F;
      if (Float.isFinite(amax) && Float.isFinite(global)) {
        float unit = amax / 6f;
        float s = twoLevels ? unit / global : unit;
        code = scales.nearest(s > 448f ? 448f : s > 0x1p-6f ? s : 0x1p-6f);
      }
      run.putByte(call.array(2), block, code);
      float scale = scales.decode(code);
      float reciprocal = twoLevels ? (1f / global) / scale : 1f / scale;
      if (code == 0x7F || (twoLevels && global < Float.MIN_NORMAL)) {
        java.util.Arrays.fill(run.bytes, 0, NVFP4_BLOCK, (byte) 0);
      } else {
        cast(call, element, run, 0, NVFP4_BLOCK, reciprocal, at);
      }
      call.array(1).putBytes(at, run.bytes, NVFP4_BLOCK);
    }
  }

  private static void nvfp4Decode(JavaCall call, long first, long last) {
    MinifloatCodec element = MinifloatCodec.of(E2M1, true);
    MinifloatCodec scales = MinifloatCodec.of(E4M3, true);
    ByteRun run = new ByteRun();
    float global = call.array(3) != null ? run.floatAt(call.array(3), 0) : 1f;
    long end = Math.min(last * UNIT_BLOCKS, call.integer(0));
    for (long block = first * UNIT_BLOCKS; block < end; block++) {
      float scale = scales.decode(run.byteAt(call.array(2), block));
      call.array(1).getBytes(block * NVFP4_BLOCK, run.bytes, NVFP4_BLOCK);
      for (int i = 0; i < NVFP4_BLOCK; i++) {
        run.floats[i] = (element.decode(run.bytes[i] & 0xFF) * scale) * global;
      }
      call.array(0).putFloats(block * NVFP4_BLOCK, run.floats, NVFP4_BLOCK);
    }
  }
}
