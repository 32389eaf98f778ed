package org.fettle.sparsity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Formats;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/**
 * 2:4 products of 16-bit elements: on java and cpu the bits of a sum in double, on cuda within the
 * stated distance of it.
 */
class HalfProductTest {
  private static final int[][] SHAPES = {
    {1, 8, 1},
    {3, 16, 17},
    {31, 40, 16},
    {32, 64, 5},
    {33, 72, 33},
    {96, 128, 20},
    {130, 200, 3},
    {64, 0, 2},
    {0, 8, 2},
    {32, 64, 0}
  };

  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  /** Codes of a format, with some NaN and infinities where they are asked for. */
  private static short[] codes(Random random, DType dtype, int n, boolean special) {
    short[] codes = new short[n];
    for (int i = 0; i < n; i++) {
      double value = random.nextGaussian();
      if (special && random.nextInt(200) == 0) {
        value = random.nextBoolean() ? Double.NaN : Double.POSITIVE_INFINITY;
      }
      codes[i] = Formats.nearest(dtype, (float) value);
    }
    return codes;
  }

  /** A dense matrix of which exactly two of every four entries are not 0. */
  private static short[] dense(Random random, DType dtype, int rows, int columns) {
    short[] codes = codes(random, dtype, rows * columns, false);
    for (int quad = 0; quad < codes.length; quad += 4) {
      int first = random.nextInt(3);
      int second = first + 1 + random.nextInt(3 - first);
      for (int i = 0; i < 4; i++) {
        codes[quad + i] =
            (i == first || i == second) ? (short) (codes[quad + i] | 1) : 0; // never a zero
      }
    }
    return codes;
  }

  private static double near(double magnitude, int columns) {
    return Math.max(32, columns) * 0x1p-23 * magnitude;
  }

  @Test
  void sumsAreThoseOfTheDenseMatrix() {
    for (int[] shape : SHAPES) {
      for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
        for (boolean narrow : new boolean[] {false, true}) {
          for (Semi24.Layout layout : Semi24.Layout.values()) {
            boolean whole = shape[0] % 32 == 0 && shape[1] % 32 == 0;
            if (layout == Semi24.Layout.CANONICAL || whole) {
              for (String backend : backends()) {
                check(shape, dtype, narrow, layout, backend);
              }
            }
          }
        }
      }
    }
  }

  private static void check(
      int[] shape, DType dtype, boolean narrow, Semi24.Layout layout, String backend) {
    int rows = shape[0];
    int columns = shape[1];
    int batch = shape[2];
    String what = Arrays.toString(shape) + " " + dtype + " " + layout + " on " + backend;
    Random random = new Random(Arrays.hashCode(shape));
    short[] matrix = dense(random, dtype, rows, columns);
    short[] left = codes(random, dtype, batch * columns, true);
    try (Workbench bench = new Workbench(backend)) {
      Tensor weight = bench.tensor(dtype, rows, columns);
      bench.put(weight, matrix);
      Tensor values = bench.tensor(dtype, rows, columns / 2);
      Tensor codes = bench.tensor(DType.U8, rows, columns / 8);
      Semi24 format = Semi24.on(bench.backend());
      format.compress(weight, null, values, codes, layout);
      Tensor x = bench.tensor(dtype, batch, columns);
      bench.put(x, left);
      Tensor y = bench.tensor(narrow ? dtype : DType.F32, batch, rows);
      if (layout == Semi24.Layout.CANONICAL) {
        format.multiply(values, codes, x, y);
      } else {
        format.multiply(values, codes, layout, x, y);
      }
      float[] wide = narrow ? null : bench.floats(y);
      short[] stored = narrow ? bench.codes(y) : null;
      for (int b = 0; b < batch; b++) {
        for (int row = 0; row < rows; row++) {
          double sum = 0;
          double magnitude = 0;
          for (int k = 0; k < columns; k++) {
            if (matrix[row * columns + k] != 0) {
              double term =
                  (double) Formats.decode(dtype, matrix[row * columns + k])
                      * Formats.decode(dtype, left[b * columns + k]);
              sum += term;
              magnitude += Math.abs(term);
            }
          }
          int at = b * rows + row;
          short rounded = Formats.nearest(dtype, (float) sum);
          if (backend.startsWith("cuda")) {
            float actual = narrow ? Formats.decode(dtype, stored[at]) : wide[at];
            double allowed = near(magnitude, columns) + (narrow ? 0x1p-7 * Math.abs(sum) : 0);
            boolean special = Double.isNaN(sum) || Double.isInfinite(sum);
            boolean right =
                special ? Double.compare(sum, actual) == 0 : Math.abs(actual - sum) <= allowed;
            assertTrue(right, what + ", " + at + ": " + actual + ", expected " + sum);
          } else if (narrow) {
            assertEquals(rounded, stored[at], what);
          } else {
            assertEquals((float) sum, wide[at], what);
          }
        }
      }
    }
  }

  private static void refused(String expected, Runnable call) {
    String said = assertThrows(IllegalArgumentException.class, call::run).getMessage();
    assertTrue(said.contains(expected), said);
  }

  @Test
  void refusesWhatDoesNotFit() {
    for (String name : backends()) {
      try (Workbench bench = new Workbench(name)) {
        Semi24 format = Semi24.on(bench.backend());
        Tensor values = bench.tensor(DType.BF16, 33, 8);
        Tensor codes = bench.tensor(DType.U8, 33, 2);
        Tensor x = bench.tensor(DType.BF16, 2, 16);
        Tensor y = bench.tensor(DType.F32, 2, 33);
        bench.put(y, filled(66));
        byte[] ascending = new byte[66];
        Arrays.fill(ascending, (byte) 0x44);
        ascending[64] = (byte) 0x14;
        ascending[65] = (byte) 0xF0;
        bench.put(codes, ascending);
        refused("codes has 3 pairs of positions", () -> format.multiply(values, codes, x, y));
        assertArrayEquals(filled(66), bench.floats(y));
        Tensor f16 = bench.tensor(DType.F16, 2, 16);
        refused("x is F16", () -> format.multiply(values, codes, f16, y));
        Tensor other = bench.tensor(DType.F16, 2, 33);
        refused("y is F16", () -> format.multiply(values, codes, x, other));
        refused(
            "expected the shape [33, 4]",
            () -> format.multiply(values, codes, tooNarrow(bench), y));
        refused("rows is 33", () -> format.multiply(values, codes, Semi24.Layout.CUTLASS, x, y));
        Tensor floats = bench.tensor(DType.F32, 32, 16);
        Tensor wide = bench.tensor(DType.F32, 2, 32);
        Tensor fits = bench.tensor(DType.U8, 32, 4);
        Tensor result = bench.tensor(DType.F32, 2, 32);
        refused(
            "elements are F32",
            () -> format.multiply(floats, fits, Semi24.Layout.CUTLASS, wide, result));
        assertThrows(NullPointerException.class, () -> format.multiply(values, codes, null, x, y));
      }
    }
  }

  private static Tensor tooNarrow(Workbench bench) {
    return bench.tensor(DType.BF16, 2, 8);
  }

  private static float[] filled(int n) {
    float[] floats = new float[n];
    Arrays.fill(floats, 7f);
    return floats;
  }
}
