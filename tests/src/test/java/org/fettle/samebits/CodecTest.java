package org.fettle.samebits;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rounding;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.rules.Sgd;
import org.fettle.testkit.Arena;
import org.fettle.testkit.Bits;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;

/**
 * The 16-bit formats on every backend against their definition, in plain double arithmetic: every
 * code decoded; every float encoded, to nearest and stochastically. By default the floats are all
 * upper halves with the lower halves around ties and at random; {@code -Dfettle.codec=full} takes
 * all 2^32.
 *
 * <p>A step of SGD with a learning rate of 0 changes nothing, and its copy is the codec.
 */
class CodecTest {
  private static final List<DType> FORMATS = List.of(DType.BF16, DType.F16);
  private static final int RUN = 1 << 16;
  private static final int[] LOWER_HALVES = {
    0x0000, 0x0001, 0x0FFF, 0x1000, 0x1001, 0x2000, 0x2FFF, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xFFFF
  };

  /** A step on one tensor of {@link #RUN} elements with a copy. */
  private static final class Codec implements AutoCloseable {
    private static final int BYTES = 3 * 4 * RUN;
    private final Arena arena;
    private final Plan plan;
    private final DType from;
    private final DType to;

    Codec(Backend backend, DType from, DType to, Rounding rounding) {
      this.from = from;
      this.to = to;
      arena = new Arena(backend, BYTES);
      Tensor value = arena.view(false, 0, from, RUN);
      Tensor gradient = arena.view(false, 4 * RUN, DType.F32, RUN);
      Tensor copy = arena.view(false, 8 * RUN, to, RUN);
      plan =
          Plan.builder()
              .backend(backend)
              .group(new Sgd().withLr(0), Parameter.of(value, gradient).withCopy(copy))
              .copyRounding(rounding)
              .seed(3)
              .build();
    }

    /** What the codec makes of those codes; bits by {@link Bits#at}. */
    int[] apply(IntUnaryOperator codes) {
      ByteBuffer image = arena.image();
      for (int i = 0; i < RUN; i++) {
        if (from == DType.F32) {
          image.putInt(4 * i, codes.applyAsInt(i));
        } else {
          image.putShort(2 * i, (short) codes.applyAsInt(i));
        }
      }
      arena.upload(BYTES);
      plan.step(new Step());
      arena.download(BYTES);
      int[] result = new int[RUN];
      for (int i = 0; i < RUN; i++) {
        result[i] = Bits.at(image, to, 8 * RUN, i);
      }
      return result;
    }

    @Override
    public void close() {
      plan.close();
      arena.close();
    }
  }

  @Test
  void everyCodeIsDecoded() {
    for (Backend backend : Machine.backends()) {
      for (DType format : FORMATS) {
        try (Codec codec = new Codec(backend, format, DType.F32, Rounding.NEAREST)) {
          int[] decoded = codec.apply(i -> i);
          for (int code = 0; code < RUN; code++) {
            int expected = Float.floatToIntBits((float) Bits.value(format, code));
            int actual = Float.floatToIntBits(Float.intBitsToFloat(decoded[code]));
            if (expected != actual) {
              assertEquals(
                  Integer.toHexString(expected),
                  Integer.toHexString(actual),
                  backend.name() + ", code " + Integer.toHexString(code) + " of " + format);
            }
          }
        }
      }
    }
  }

  @Test
  void everyFloatIsEncoded() {
    boolean full = "full".equals(System.getProperty("fettle.codec"));
    int runs = full ? 1 << 16 : LOWER_HALVES.length + 2;
    int[] lower = new SplittableRandom(1).ints(RUN, 0, RUN).toArray();
    for (Backend backend : Machine.backends()) {
      for (DType format : FORMATS) {
        for (Rounding rounding : Rounding.values()) {
          try (Codec codec = new Codec(backend, DType.F32, format, rounding)) {
            for (int run = 0; run < runs; run++) {
              int number = run;
              IntUnaryOperator bits =
                  full
                      ? i -> number << 16 | i
                      : number < LOWER_HALVES.length
                          ? i -> i << 16 | LOWER_HALVES[number]
                          : i -> i << 16 | lower[(i + number) % RUN];
              check(backend, format, rounding, bits, codec.apply(bits));
            }
          }
        }
      }
    }
    Machine.say(
        "codecs",
        (long) runs * RUN
            + " floats encoded to each of "
            + FORMATS
            + " on "
            + Machine.backends().size()
            + " backends");
  }

  private static void check(
      Backend backend, DType format, Rounding rounding, IntUnaryOperator bits, int[] codes) {
    for (int i = 0; i < RUN; i++) {
      float x = Float.intBitsToFloat(bits.applyAsInt(i));
      if (!isRight(format, rounding, x, codes[i])) {
        int code = codes[i];
        assertTrue(
            false,
            () ->
                String.format(
                    "%s, %s to %s: %a became 0x%x (%a)",
                    backend.name(), rounding, format, x, code, Bits.value(format, code)));
      }
    }
  }

  private static boolean isRight(DType format, Rounding rounding, float x, int code) {
    if (Float.isNaN(x)) {
      return Bits.isNan(format, code);
    }
    int infinity = format == DType.BF16 ? 0x7F80 : 0x7C00;
    int magnitude = code & 0x7FFF;
    boolean negative = (Float.floatToRawIntBits(x) & 0x80000000) != 0;
    if (magnitude > infinity || negative != ((code & 0x8000) != 0)) {
      return false;
    }
    double wanted = Math.abs((double) x);
    double here = value(format, magnitude, infinity);
    if (wanted >= value(format, infinity, infinity)) {
      return magnitude == infinity;
    }
    double below = magnitude == 0 ? -1 : value(format, magnitude - 1, infinity);
    double above = magnitude == infinity ? 1e300 : value(format, magnitude + 1, infinity);
    if (rounding == Rounding.STOCHASTIC) {
      // One of the two neighbours; what the format holds stays.
      return below < wanted && wanted < above;
    }
    boolean even = (magnitude & 1) == 0;
    double low = (below + here) / 2;
    double high = (here + above) / 2;
    return even ? low <= wanted && wanted <= high : low < wanted && wanted < high;
  }

  /** A code's value; infinity counts as the next power of two, from where rounding reaches it. */
  private static double value(DType format, int magnitude, int infinity) {
    return magnitude == infinity
        ? Math.scalb(1.0, format == DType.BF16 ? 128 : 16)
        : Bits.value(format, magnitude);
  }
}
