package org.fettle.testkit;

import java.nio.ByteBuffer;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.fettle.DType;

/** Elements of every kind and format to compute with, as bits. Made once, copied from then on. */
public final class Inputs {
  /** Kinds of values. */
  public enum Kind {
    /** Around 0, of ordinary size. */
    NORMAL,
    /** Heavy-tailed: exponents spread widely. */
    HEAVY,
    /** Denormals and the smallest normal numbers. */
    TINY,
    /** Close to the largest finite number. */
    EXTREME,
    /** Signed zeros, limits of every range, infinities, NaNs with payloads, random bits. */
    SPECIAL,
    /** Some of each, mostly ordinary. */
    MIXED;

    /** Whether there is no infinity and no NaN. */
    public boolean isFinite() {
      return this != SPECIAL && this != MIXED;
    }
  }

  // A prime, so that a start and a length never repeat a pattern at a tile's distance.
  private static final int LENGTH = 131_101;

  private static final int[] SPECIAL_F32 = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000,
    0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFBFFFFF,
    0x7FFFFFFF, 0xFFFFFFFF, 0x7FC01234, 0x3F800000, 0xBF800000, 0x3F800001, 0x3F7FFFFF, 0x33800000,
    0x33000000, 0x477FE000, 0x477FEFFF, 0x477FF000, 0x47800000, 0x38800000, 0x387FC000, 0x7F7F7FFF,
    0x7F7F8000, 0x00008000, 0x00007FFF
  };
  private static final int[] SPECIAL_F16 = {
    0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00,
    0x7E00, 0xFE00, 0x7C01, 0xFDFF, 0x7FFF, 0xFFFF, 0x3C00, 0xBC00, 0x3C01, 0x3BFF
  };

  private static final Map<Kind, Map<DType, ByteBuffer>> POOLS = new EnumMap<>(Kind.class);

  private Inputs() {}

  /** Puts elements at a byte offset; {@code start} picks which. */
  public static void fill(
      Kind kind, DType dtype, long start, ByteBuffer to, int offset, int elements) {
    ByteBuffer pool = pool(kind, dtype);
    int size = dtype.bits() / 8;
    int from = (int) Math.floorMod(start, (long) LENGTH);
    for (int done = 0; done < elements; ) {
      int n = Math.min(elements - done, LENGTH - from);
      to.put(offset + done * size, pool, from * size, n * size);
      done += n;
      from = 0;
    }
  }

  /** Clears the sign of elements, as the states that are sums of squares have it. */
  public static void makePositive(DType dtype, ByteBuffer bytes, int offset, int elements) {
    int size = dtype.bits() / 8;
    for (int i = 0; i < elements; i++) {
      int at = offset + (i + 1) * size - 1;
      bytes.put(at, (byte) (bytes.get(at) & 0x7F));
    }
  }

  private static ByteBuffer pool(Kind kind, DType dtype) {
    return POOLS
        .computeIfAbsent(kind, k -> new EnumMap<>(DType.class))
        .computeIfAbsent(dtype, d -> make(kind, d));
  }

  private static ByteBuffer make(Kind kind, DType dtype) {
    SplittableRandom random =
        new SplittableRandom(31L * kind.name().hashCode() + dtype.name().hashCode());
    ByteBuffer pool =
        ByteBuffer.allocateDirect(LENGTH * dtype.bits() / 8)
            .order(java.nio.ByteOrder.nativeOrder());
    for (int i = 0; i < LENGTH; i++) {
      switch (dtype) {
        case F32 -> pool.putInt(single(kind, random));
        case BF16 -> pool.putShort((short) (single(kind, random) >>> 16));
        case F16 -> pool.putShort((short) half(kind, random));
        default -> throw new AssertionError("no floating-point values in " + dtype);
      }
    }
    return pool.flip();
  }

  private static int single(Kind kind, SplittableRandom random) {
    int sign = random.nextInt() & 0x80000000;
    int fraction = random.nextInt() >>> 9;
    return switch (kind) {
      case NORMAL -> sign | random.nextInt(118, 128) << 23 | fraction;
      case HEAVY -> sign | random.nextInt(80, 148) << 23 | fraction;
      case TINY -> sign | random.nextInt(0, 4) << 23 | fraction;
      case EXTREME -> sign | random.nextInt(240, 255) << 23 | fraction;
      case SPECIAL ->
          random.nextInt(4) == 0
              ? random.nextInt()
              : SPECIAL_F32[random.nextInt(SPECIAL_F32.length)];
      case MIXED -> single(some(random), random);
    };
  }

  private static int half(Kind kind, SplittableRandom random) {
    int sign = random.nextInt() & 0x8000;
    int fraction = random.nextInt() & 0x3FF;
    return switch (kind) {
      case NORMAL -> sign | random.nextInt(9, 15) << 10 | fraction;
      case HEAVY -> sign | random.nextInt(1, 31) << 10 | fraction;
      case TINY -> sign | random.nextInt(0, 2) << 10 | fraction;
      case EXTREME -> sign | random.nextInt(28, 31) << 10 | fraction;
      case SPECIAL ->
          random.nextInt(4) == 0
              ? random.nextInt() & 0xFFFF
              : SPECIAL_F16[random.nextInt(SPECIAL_F16.length)];
      case MIXED -> half(some(random), random);
    };
  }

  private static Kind some(SplittableRandom random) {
    int choice = random.nextInt(16);
    return choice == 0
        ? Kind.SPECIAL
        : choice < 3 ? Kind.TINY : choice < 5 ? Kind.HEAVY : Kind.NORMAL;
  }
}
