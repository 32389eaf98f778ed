package org.fettle.internal.kernels;

import java.util.Arrays;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Windows;

/** Bit masks: twins of {@code native/src/kernels/masks/bits.h}. */
public final class MaskKernels {
  /** Elements of a unit of {@link #COUNT} and {@link #COMBINE}. */
  public static final int UNIT = 65536;

  /** Elements of a unit of {@link #PACK}, {@link #UNPACK} and {@link #APPLY}. */
  public static final int PACK_UNIT = 4096;

  /** How many bits are 1, of elements and behind the last one. */
  public static final Kernel COUNT = new Kernel("mask_count", MaskKernels::count);

  /** Two masks to a third. */
  public static final Kernel COMBINE = new Kernel("mask_combine", MaskKernels::combine);

  /** Bytes of 0 and 1 to bits. */
  public static final Kernel PACK = new Kernel("mask_pack", MaskKernels::pack);

  /** Bits to bytes of 0 and 1. */
  public static final Kernel UNPACK = new Kernel("mask_unpack", MaskKernels::unpack);

  /** Values where the mask is 1, else +0. */
  public static final Kernel APPLY = new Kernel("mask_apply", MaskKernels::apply);

  /**
   * The bits of tiles to their elements. Arrays: bits of tiles, bits of elements. Integers: rows,
   * columns, rows and columns of a tile, tiles side by side. A unit is {@link #PACK_UNIT} elements.
   */
  public static final Kernel SPREAD = new Kernel("mask_spread", MaskKernels::spread);

  private static final int RUN = 4096;

  private MaskKernels() {}

  private static int validBits(long at, long elements) {
    long left = elements - 8 * at;
    return left >= 8 ? 0xFF : (1 << left) - 1;
  }

  private static void count(JavaCall call, long first, long last) {
    long elements = call.integer(0);
    byte[] bits = new byte[RUN];
    long[] counts = new long[2];
    for (long unit = first; unit < last; unit++) {
      Arrays.fill(counts, 0);
      long end = Math.min((unit + 1) * UNIT / 8, (elements + 7) / 8);
      for (long at = unit * UNIT / 8; at < end; at += RUN) {
        int n = (int) Math.min(RUN, end - at);
        call.array(0).getBytes(at, bits, n);
        for (int i = 0; i < n; i++) {
          int valid = validBits(at + i, elements);
          counts[0] += Integer.bitCount(bits[i] & valid);
          counts[1] += Integer.bitCount(bits[i] & 0xFF & ~valid);
        }
      }
      call.array(1).putLongs(2 * unit, counts, 2);
    }
  }

  private static void combine(JavaCall call, long first, long last) {
    long elements = call.integer(0);
    int operation = (int) call.integer(1);
    byte[] a = new byte[RUN];
    byte[] b = new byte[RUN];
    for (long unit = first; unit < last; unit++) {
      long end = Math.min((unit + 1) * UNIT / 8, (elements + 7) / 8);
      for (long at = unit * UNIT / 8; at < end; at += RUN) {
        int n = (int) Math.min(RUN, end - at);
        if (call.array(0) != null) {
          call.array(0).getBytes(at, a, n);
        }
        if (call.array(1) != null) {
          call.array(1).getBytes(at, b, n);
        }
        for (int i = 0; i < n; i++) {
          a[i] = (byte) (combined(operation, a[i], b[i]) & validBits(at + i, elements));
        }
        call.array(2).putBytes(at, a, n);
      }
    }
  }

  private static int combined(int operation, int a, int b) {
    return switch (operation) {
      case 0 -> a & b;
      case 1 -> a | b;
      case 2 -> a & ~b;
      case 3 -> a ^ b;
      case 4 -> ~a;
      case 5 -> 0xFF;
      default -> 0;
    };
  }

  /** The line of a unit, and the elements of the line that are its. */
  private record Place(long line, long first, int n) {
    static Place of(JavaCall call, long unit) {
      long columns = call.integer(0);
      long perLine = (columns + PACK_UNIT - 1) / PACK_UNIT;
      long first = unit % perLine * PACK_UNIT;
      return new Place(unit / perLine, first, (int) Math.min(PACK_UNIT, columns - first));
    }
  }

  private static void pack(JavaCall call, long first, long last) {
    long columns = call.integer(0);
    long lineBytes = call.integer(1);
    byte[] flags = new byte[PACK_UNIT];
    byte[] bits = new byte[PACK_UNIT / 8];
    byte[] zero = new byte[1];
    long[] wrong = new long[1];
    for (long unit = first; unit < last; unit++) {
      Place place = Place.of(call, unit);
      call.array(0).getBytes(place.line() * columns + place.first(), flags, place.n());
      Arrays.fill(bits, (byte) 0);
      wrong[0] = 0;
      for (int i = 0; i < place.n(); i++) {
        wrong[0] += (flags[i] & 0xFF) > 1 ? 1 : 0;
        bits[i / 8] |= (byte) ((flags[i] & 1) << i % 8);
      }
      long line = place.line() * lineBytes;
      call.array(1).putBytes(line + place.first() / 8, bits, (place.n() + 7) / 8);
      if (place.first() + place.n() == columns) {
        for (long at = (columns + 7) / 8; at < lineBytes; at++) {
          call.array(1).putBytes(line + at, zero, 1);
        }
      }
      call.array(2).putLongs(unit, wrong, 1);
    }
  }

  private static void unpack(JavaCall call, long first, long last) {
    byte[] flags = new byte[PACK_UNIT];
    byte[] bits = new byte[PACK_UNIT / 8];
    for (long unit = first; unit < last; unit++) {
      Place place = Place.of(call, unit);
      long line = place.line() * call.integer(1);
      call.array(0).getBytes(line + place.first() / 8, bits, (place.n() + 7) / 8);
      for (int i = 0; i < place.n(); i++) {
        flags[i] = (byte) (bits[i / 8] >> (i % 8) & 1);
      }
      call.array(1).putBytes(place.line() * call.integer(0) + place.first(), flags, place.n());
    }
  }

  private static void spread(JavaCall call, long first, long last) {
    long elements = call.integer(0) * call.integer(1);
    long columns = call.integer(1);
    byte[] bits = new byte[PACK_UNIT / 8];
    for (long unit = first; unit < last; unit++) {
      long at = unit * PACK_UNIT;
      int n = (int) Math.min(PACK_UNIT, elements - at);
      Arrays.fill(bits, (byte) 0);
      for (int i = 0; i < n; i++) {
        long row = (at + i) / columns;
        long column = (at + i) - row * columns;
        long tile = row / call.integer(2) * call.integer(4) + column / call.integer(3);
        int kept = call.array(0).getByte(tile) >> (tile % 8) & 1;
        bits[i / 8] |= (byte) (kept << i % 8);
      }
      call.array(1).putBytes(at / 8, bits, (n + 7) / 8);
    }
  }

  private static void apply(JavaCall call, long first, long last) {
    long elements = call.integer(0);
    byte[] bits = new byte[PACK_UNIT / 8];
    Copier copier = new Copier(call.array(0), call.array(2));
    for (long unit = first; unit < last; unit++) {
      long at = unit * PACK_UNIT;
      int n = (int) Math.min(PACK_UNIT, elements - at);
      call.array(1).getBytes(at / 8, bits, (n + 7) / 8);
      copier.copy(at, n, bits, (int) call.integer(1));
    }
  }

  /** Copies values of any width, zeros where a bit is 0. */
  private static final class Copier {
    private final Windows from;
    private final Windows to;
    private final float[] floats = new float[PACK_UNIT];
    private final short[] shorts = new short[PACK_UNIT];
    private final byte[] bytes = new byte[PACK_UNIT];

    Copier(Windows from, Windows to) {
      this.from = from;
      this.to = to;
    }

    void copy(long at, int n, byte[] bits, int width) {
      if (width == 4) {
        from.getFloats(at, floats, n);
        for (int i = 0; i < n; i++) {
          floats[i] = (bits[i / 8] >> (i % 8) & 1) != 0 ? floats[i] : 0f;
        }
        to.putFloats(at, floats, n);
      } else if (width == 2) {
        from.getShorts(at, shorts, n);
        for (int i = 0; i < n; i++) {
          shorts[i] = (bits[i / 8] >> (i % 8) & 1) != 0 ? shorts[i] : 0;
        }
        to.putShorts(at, shorts, n);
      } else {
        from.getBytes(at, bytes, n);
        for (int i = 0; i < n; i++) {
          bytes[i] = (bits[i / 8] >> (i % 8) & 1) != 0 ? bytes[i] : 0;
        }
        to.putBytes(at, bytes, n);
      }
    }
  }
}
