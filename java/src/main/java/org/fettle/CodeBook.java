package org.fettle;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;
import java.util.stream.IntStream;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.kernels.BlockKernels;

/**
 * A code book: the values that codes of 4 or 8 bits stand for, in units of the largest magnitude of
 * a block. The books that are there have the bits that their authors' programs give.
 *
 * <p>Encoding (bitsandbytes) multiplies whole blocks by the reciprocal of the largest magnitude,
 * divides a short one, and gives a value on a midpoint the lower one; {@link Style#TORCHAO} always
 * divides, by 1e-12 at least, and gives it the upper one. A block whose largest magnitude is not
 * finite stores NaN as its scale and the code of 0.
 */
public final class CodeBook {
  /** Whose rule encodes. */
  public enum Style {
    /** bitsandbytes. */
    BITSANDBYTES,
    /** pytorch/ao. */
    TORCHAO
  }

  private final float[] values;
  private final float[] sorted;
  private final byte[] order;

  private CodeBook(float[] values) {
    this.values = values;
    Integer[] codes =
        IntStream.range(0, values.length)
            .boxed()
            .sorted(Comparator.<Integer>comparingDouble(i -> values[i] + 0.0))
            .toArray(Integer[]::new);
    sorted = new float[values.length];
    order = new byte[values.length];
    for (int i = 0; i < codes.length; i++) {
      sorted[i] = values[codes[i]];
      order[i] = codes[i].byteValue();
    }
  }

  /**
   * A book of one's own.
   *
   * @param values by code: 1 to 256 of them, all finite
   */
  public static CodeBook of(float... values) {
    Objects.requireNonNull(values, "values");
    int count = values.length;
    Range.check("values", count, count >= 1 && count <= 256, "1 to 256 of them");
    for (float value : values) {
      Range.check("value", value, Float.isFinite(value), "finite");
    }
    return new CodeBook(values.clone());
  }

  /** bitsandbytes' dynamic map, 8 bits; the smallest is -0.99297. */
  public static CodeBook dynamicSigned() {
    return named("dynamic_signed");
  }

  /** Its unsigned form. */
  public static CodeBook dynamicUnsigned() {
    return named("dynamic_unsigned");
  }

  /** NF4. */
  public static CodeBook nf4() {
    return named("nf4");
  }

  /** The FP4 of bitsandbytes, which is not E2M1 and not in ascending order. */
  public static CodeBook fp4() {
    return named("fp4_bnb");
  }

  /** The first moment's 4-bit map of pytorch/ao. */
  public static CodeBook signed4() {
    return named("signed_4bit");
  }

  /** The second moment's, which has no zero. */
  public static CodeBook unsigned4() {
    return named("unsigned_4bit");
  }

  private static CodeBook named(String name) {
    try (InputStream in = CodeBook.class.getResourceAsStream("/org/fettle/code-books.txt")) {
      for (String line : new String(in.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
        String[] words = line.split(" ");
        if (words[0].equals(name)) {
          float[] values = new float[words.length - 1];
          for (int i = 0; i < values.length; i++) {
            values[i] = Float.intBitsToFloat(Integer.parseUnsignedInt(words[i + 1], 16));
          }
          return new CodeBook(values);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    throw new IllegalStateException("code-books.txt lacks " + name);
  }

  /** The values by code. */
  public float[] values() {
    return values.clone();
  }

  /**
   * Encodes blocks.
   *
   * @param backend what carries it out
   * @param x F32
   * @param codes receives them, U8: one per element, or half as many bytes, rounded up, with the
   *     even element in the high nibble
   * @param scales receives one F32 per block: the largest magnitude
   * @param blockSize elements of a block, at least 1; even where codes are packed
   * @param style whose rule
   */
  public void encode(
      Backend backend, Tensor x, Tensor codes, Tensor scales, int blockSize, Style style) {
    run(backend, x, codes, scales, blockSize, Objects.requireNonNull(style, "style"));
  }

  /**
   * Decodes blocks: the book's value times the block's scale, into {@code x}; NaN for a code that
   * the book has no value for.
   */
  public void decode(Backend backend, Tensor codes, Tensor scales, Tensor x, int blockSize) {
    run(backend, x, codes, scales, blockSize, null);
  }

  private void run(
      Backend backend, Tensor x, Tensor codes, Tensor scales, int blockSize, Style style) {
    Objects.requireNonNull(backend, "backend");
    Range.check("blockSize", blockSize, blockSize >= 1, ">= 1");
    dtype("x", x, DType.F32, backend);
    dtype("codes", codes, DType.U8, backend);
    dtype("scales", scales, DType.F32, backend);
    long elements = x.elements();
    long packed = (elements + 1) / 2;
    boolean halves = codes.elements() == packed && codes.elements() != elements;
    if ((!halves && codes.elements() != elements) || (halves && values.length > 16)) {
      throw new IllegalArgumentException(
          "codes is " + codes + ": expected " + elements + " bytes, or half with up to 16 values");
    }
    if (halves && blockSize % 2 != 0) {
      throw new IllegalArgumentException(
          "blockSize is " + blockSize + ": expected an even one where codes are packed");
    }
    long blocks = elements / blockSize + (elements % blockSize != 0 ? 1 : 0);
    if (scales.elements() != blocks) {
      throw new IllegalArgumentException("scales is " + scales + ": expected " + blocks);
    }
    Spans spans = new Spans();
    spans.add("x", x, style == null);
    spans.add("codes", codes, style != null);
    spans.add("scales", scales, style != null);
    spans.check();
    Engine engine = backend.engine();
    // A device reads the book in its own memory.
    try (Scratch scratch = new Scratch(engine)) {
      Tensor book = scratch.tensor(DType.F32, values.length);
      Tensor numbers = scratch.tensor(DType.U8, order.length);
      Scratch.write(engine, book, style == null ? values : sorted);
      Scratch.write(engine, numbers, order);
      engine.run(
          new KernelCall(
                  style == null ? BlockKernels.CODE_BOOK_DECODE : BlockKernels.CODE_BOOK_ENCODE)
              .arrays(x, codes, scales, book, numbers)
              .integers(blockSize, values.length, halves ? 4 : 8, style == Style.TORCHAO ? 1 : 0)
              .units(blocks, elements));
    }
  }

  private static void dtype(String name, Tensor tensor, DType dtype, Backend backend) {
    Objects.requireNonNull(tensor, name);
    if (tensor.dtype() != dtype) {
      throw new IllegalArgumentException(name + " is " + tensor + ": expected " + dtype);
    }
    PlanChecks.onDevice(name, tensor, backend);
    PlanChecks.notFreed(name, tensor, backend);
  }

  /** The values. */
  @Override
  public String toString() {
    return "CodeBook" + Arrays.toString(values);
  }
}
