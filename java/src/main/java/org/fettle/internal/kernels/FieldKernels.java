package org.fettle.internal.kernels;

import org.fettle.DType;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;

/**
 * Codes of less than 8 bits, packed: twins of {@code native/src/kernels/formats/fields.h}, which
 * tells the arrays and integers of a call.
 */
public final class FieldKernels {
  /** Packs a code per byte. */
  public static final Kernel PACK = new Kernel("fields_pack", FieldKernels::pack);

  /** Unpacks to a code per byte. */
  public static final Kernel UNPACK = new Kernel("fields_unpack", FieldKernels::unpack);

  /** One bit per element of a row, in words of 64. */
  public static final Kernel SIGNS = new Kernel("signs_pack", FieldKernels::signs);

  private static final int WORD = 64;

  private FieldKernels() {}

  /** The bit of the packed array at which field i of a run that starts on a byte begins. */
  private static int shiftOf(int bits, boolean highFirst, int i) {
    int perByte = 8 / bits;
    int within = i % perByte;
    return highFirst ? 8 - bits - bits * within : bits * within;
  }

  private static void pack(JavaCall call, long first, long last) {
    int bits = (int) call.integer(1);
    boolean highFirst = call.integer(2) != 0;
    int mask = (1 << bits) - 1;
    ByteRun run = new ByteRun();
    byte[] packed = new byte[ByteRun.LENGTH];
    long end = Math.min(last * ByteRun.LENGTH, call.integer(0));
    for (long at = first * ByteRun.LENGTH; at < end; at += ByteRun.LENGTH) {
      int n = ByteRun.length(at, end);
      call.array(0).getBytes(at, run.bytes, n);
      int bytes = (n * bits + 7) / 8;
      java.util.Arrays.fill(packed, 0, bytes, (byte) 0);
      int whole = bits == 6 ? (n + 3) / 4 * 4 : bytes * 8 / bits;
      for (int i = 0; i < whole; i++) {
        int field = (i < n ? run.bytes[i] : (int) call.integer(4)) & mask;
        if (bits == 6) {
          int shifted = field << (i * 6 & 7);
          packed[i * 6 / 8] |= (byte) shifted;
          if (shifted > 0xFF && i * 6 / 8 + 1 < bytes) {
            packed[i * 6 / 8 + 1] |= (byte) (shifted >> 8);
          }
        } else {
          packed[i * bits / 8] |= (byte) (field << shiftOf(bits, highFirst, i));
        }
      }
      call.array(1).putBytes(at / 8 * bits, packed, bytes);
    }
  }

  private static void unpack(JavaCall call, long first, long last) {
    int bits = (int) call.integer(1);
    boolean highFirst = call.integer(2) != 0;
    int mask = (1 << bits) - 1;
    int sign = call.integer(3) != 0 ? 1 << (bits - 1) : 0;
    ByteRun run = new ByteRun();
    byte[] packed = new byte[ByteRun.LENGTH];
    long end = Math.min(last * ByteRun.LENGTH, call.integer(0));
    for (long at = first * ByteRun.LENGTH; at < end; at += ByteRun.LENGTH) {
      int n = ByteRun.length(at, end);
      int bytes = (n * bits + 7) / 8;
      call.array(1).getBytes(at / 8 * bits, packed, bytes);
      for (int i = 0; i < n; i++) {
        int field;
        if (bits == 6) {
          int low = i * 6 / 8;
          int word = (packed[low] & 0xFF) | (low + 1 < bytes ? (packed[low + 1] & 0xFF) << 8 : 0);
          field = word >> (i * 6 & 7);
        } else {
          field = (packed[i * bits / 8] & 0xFF) >> shiftOf(bits, highFirst, i);
        }
        run.bytes[i] = (byte) (((field & mask) ^ sign) - sign);
      }
      call.array(0).putBytes(at, run.bytes, n);
    }
  }

  private static void signs(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    long words = (columns + WORD - 1) / WORD;
    boolean bytes = call.array(0).dtype() == DType.I8;
    ByteRun run = new ByteRun();
    long[] word = new long[1];
    for (long row = first; row < last; row++) {
      for (long w = 0; w < words; w++) {
        long at = row * columns + w * WORD;
        int n = (int) Math.min(WORD, columns - w * WORD);
        if (bytes) {
          call.array(0).getBytes(at, run.bytes, n);
        } else {
          call.array(0).getFloats(at, run.floats, n);
        }
        word[0] = 0;
        for (int i = 0; i < n; i++) {
          boolean negative = bytes ? run.bytes[i] < 0 : run.floats[i] < 0f;
          word[0] |= negative ? 0 : 1L << i;
        }
        call.array(1).putLongs(row * words + w, word, 1);
      }
    }
  }
}
