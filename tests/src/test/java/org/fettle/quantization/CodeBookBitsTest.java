package org.fettle.quantization;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteOrder;
import java.util.Map;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.CodeBook;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;

/** Codes and scales of code books are the same on every backend, ties and special values too. */
class CodeBookBitsTest {
  private static final Map<String, CodeBook> BOOKS =
      Map.of(
          "dynamic signed", CodeBook.dynamicSigned(),
          "dynamic unsigned", CodeBook.dynamicUnsigned(),
          "nf4", CodeBook.nf4(),
          "fp4", CodeBook.fp4(),
          "signed4", CodeBook.signed4(),
          "unsigned4", CodeBook.unsigned4(),
          "one value", CodeBook.of(0.5f),
          "equal values", CodeBook.of(-1, 0, 0, 0, 1),
          "twenty", CodeBook.of(twenty()));
  private static final int[] SIZES = {1, 2, 7, 15, 16, 17, 33, 255, 256, 257, 1000};

  private static float[] twenty() {
    float[] values = new float[20];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.sin(3.0 * i);
    }
    return values;
  }

  /** Among them all values and midpoints of the book, exactly, where the block's largest is 1. */
  private static float[] inputs(CodeBook book, int n, int kind) {
    Random random = new Random(31L * n + kind);
    float[] special = {0f, -0f, Float.MIN_VALUE, -Float.MIN_NORMAL, 3e38f, 1e-40f};
    float[] values = book.values();
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      float one = values[random.nextInt(values.length)];
      float other = values[random.nextInt(values.length)];
      x[i] =
          switch (kind) {
            case 0 -> (float) random.nextGaussian();
            case 1 -> i % 64 == 0 ? 1f : (one + other) * 0.5f;
            case 2 -> special[random.nextInt(special.length)];
            case 3 -> random.nextInt(40) == 0 ? Float.NaN : one;
            case 4 -> 0f;
            default -> random.nextInt(60) == 0 ? Float.NEGATIVE_INFINITY : one;
          };
    }
    return x;
  }

  private static byte[] encoded(
      Backend backend, CodeBook book, float[] values, int blockSize, boolean packed) {
    int n = values.length;
    Tensor x = Tensor.allocate(DType.F32, n);
    x.buffer().order(ByteOrder.nativeOrder()).asFloatBuffer().put(values);
    int codeBytes = packed ? (n + 1) / 2 : n;
    int blocks = (n + blockSize - 1) / blockSize;
    Tensor codes = Tensor.allocate(DType.U8, codeBytes);
    Tensor scales = Tensor.allocate(DType.F32, blocks);
    Tensor back = Tensor.allocate(DType.F32, n);
    byte[] all = new byte[2 * (codeBytes + 4 * blocks + 4 * n)];
    int at = 0;
    for (CodeBook.Style style : CodeBook.Style.values()) {
      book.encode(backend, x, codes, scales, blockSize, style);
      book.decode(backend, codes, scales, back, blockSize);
      for (Tensor tensor : new Tensor[] {codes, scales, back}) {
        tensor.buffer().get(0, all, at, (int) tensor.bytes());
        at += (int) tensor.bytes();
      }
    }
    return all;
  }

  @Test
  void theSameEverywhere() {
    BOOKS.forEach(
        (name, book) -> {
          for (int n : SIZES) {
            for (int kind = 0; kind < 6; kind++) {
              for (int blockSize : new int[] {2, 64, 256}) {
                for (boolean packed : new boolean[] {false, true}) {
                  // One byte is both packed and not.
                  if (packed && (book.values().length > 16 || n == 1)) {
                    continue;
                  }
                  float[] values = inputs(book, n, kind);
                  byte[] expected = null;
                  for (Backend backend : Machine.hostBackends()) {
                    byte[] actual = encoded(backend, book, values, blockSize, packed);
                    expected = expected == null ? actual : expected;
                    assertArrayEquals(
                        expected,
                        actual,
                        name + ", " + n + ", " + kind + ", " + blockSize + ", " + backend.name());
                  }
                }
              }
            }
          }
        });
  }

  /** Nothing is read behind the book. */
  @Test
  void aCodeWithoutValueIsNotANumber() {
    CodeBook book = CodeBook.of(-1, 0.5f, 2);
    for (Backend backend : Machine.hostBackends()) {
      for (boolean packed : new boolean[] {false, true}) {
        Tensor codes = Tensor.allocate(DType.U8, packed ? 20 : 40);
        for (int i = 0; i < 40; i += packed ? 2 : 1) {
          int code = i % 5;
          codes
              .buffer()
              .put(packed ? i / 2 : i, (byte) (packed ? (code << 4) | ((i + 1) % 5) : code));
        }
        Tensor scales = Tensor.allocate(DType.F32, 1);
        scales.buffer().order(ByteOrder.nativeOrder()).putFloat(0, 2f);
        Tensor x = Tensor.allocate(DType.F32, 40);
        book.decode(backend, codes, scales, x, 64);
        for (int i = 0; i < 40; i++) {
          float expected = i % 5 < 3 ? 2 * book.values()[i % 5] : Float.NaN;
          assertEquals(
              expected,
              x.buffer().order(ByteOrder.nativeOrder()).getFloat(4 * i),
              backend.name() + ", " + i);
        }
      }
    }
  }
}
