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
import org.fettle.internal.Keys;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/** Masks and N:M patterns: their definition, and every backend. */
class MasksTest {
  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  @Test
  void pruneToPlusZeroWhateverTheValueIs() {
    Random random = new Random(2);
    for (int n : new int[] {0, 1, 7, 8, 15, 17, 511, 513, 4095, 4097, 10000}) {
      float[] x = new float[n];
      double[] bits = new double[n];
      int[] expected = new int[n];
      for (int i = 0; i < n; i++) {
        x[i] = Float.intBitsToFloat(random.nextInt());
        bits[i] = random.nextInt(2);
        expected[i] = bits[i] != 0 ? Float.floatToIntBits(x[i]) : 0;
      }
      for (String name : backends()) {
        try (Workbench bench = new Workbench(name)) {
          Tensor mask = bench.mask(bits, n);
          Tensor values = bench.tensor(x, n);
          Tensor out = bench.tensor(DType.F32, n);
          Masks masks = Masks.on(bench.backend());
          masks.apply(mask, values, out);
          float[] got = bench.floats(out);
          for (int i = 0; i < n; i++) {
            assertEquals(expected[i], Float.floatToIntBits(got[i]), name + ", " + i);
          }
          assertEquals((long) Arrays.stream(bits).sum(), masks.count(mask), name);
          Tensor flags = bench.tensor(DType.U8, n);
          masks.unpack(mask, flags);
          assertArrayEquals(bits, bench.integers(flags), name);
          Tensor again = bench.tensor(DType.BIT, n);
          masks.pack(flags, again);
          assertArrayEquals(bits, bench.bits(again), name);
          masks.xor(mask, again, again);
          assertEquals(0, masks.count(again), name);
          masks.not(again, again);
          assertEquals(n, masks.count(again), name);
        }
      }
    }
  }

  @Test
  void keepNOfEveryM() {
    Random random = new Random(6);
    int[][] patterns = {
      {2, 4}, {1, 4}, {2, 8}, {8, 16}, {1, 2}, {3, 7}, {5, 40}, {0, 4}, {4, 4}, {1, 1}
    };
    for (int[] pattern : patterns) {
      int m = pattern[1];
      for (long[] shape : new long[][] {{13, 9L * m}, {2L * m, 48}, {3, m, 3, 3}, {1, 1024L * m}}) {
        for (int axis = 0; axis < shape.length; axis++) {
          if (shape[axis] % m == 0) {
            keepNOfEveryM(random, pattern[0], m, shape, axis);
          }
        }
      }
    }
  }

  private static void keepNOfEveryM(Random random, int n, int m, long[] shape, int axis) {
    int elements = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    float[] x = new float[elements];
    for (int i = 0; i < elements; i++) {
      x[i] =
          random.nextInt(4) == 0 ? random.nextInt(3) - 1 : Float.intBitsToFloat(random.nextInt());
    }
    int inner = 1;
    for (int i = axis + 1; i < shape.length; i++) {
      inner *= (int) shape[i];
    }
    double[] expected = new double[elements];
    for (int i = 0; i < elements; i++) {
      int position = i / inner % (int) shape[axis];
      int first = i - position % m * inner;
      int before = 0;
      int key = Keys.of(Float.floatToRawIntBits(x[i]), DType.F32, false);
      for (int j = 0; j < m; j++) {
        int at = first + j * inner;
        int other = Keys.of(Float.floatToRawIntBits(x[at]), DType.F32, false);
        before += other > key || (other == key && at < i) ? 1 : 0;
      }
      expected[i] = before < n ? 1 : 0;
    }
    for (String name : backends()) {
      try (Workbench bench = new Workbench(name)) {
        Tensor mask = bench.tensor(DType.BIT, shape);
        new NmPattern(n, m).mask(bench.backend(), bench.tensor(x, shape), axis, mask);
        String what =
            name + ", " + n + ":" + m + " of " + Arrays.toString(shape) + ", axis " + axis;
        assertArrayEquals(expected, bench.bits(mask), what);
      }
    }
  }

  @Test
  void aLargeOutputIsMaskedLikeASmallOne() {
    // Above 16 MiB the CPU writes past its caches.
    int n = (4 << 20) + 4099;
    float[] x = new float[n];
    double[] kept = new double[n];
    for (int i = 0; i < n; i++) {
      x[i] = i % 97 == 0 ? Float.NaN : i;
      kept[i] = i % 3 == 0 || i % 7 == 1 ? 1 : 0;
    }
    for (String name : backends()) {
      try (Workbench bench = new Workbench(name)) {
        Tensor out = bench.tensor(DType.F32, n);
        Masks.on(bench.backend()).apply(bench.mask(kept, n), bench.tensor(x, n), out);
        float[] actual = bench.floats(out);
        for (int i = 0; i < n; i++) {
          int expected = kept[i] == 1 ? Float.floatToRawIntBits(x[i]) : 0;
          assertEquals(expected, Float.floatToRawIntBits(actual[i]), name);
        }
      }
    }
  }

  @Test
  void rowsArePaddedOnRequestAndCutAgain() {
    for (int[] c : new int[][] {{3, 10, 4}, {1, 1, 8}, {5, 8, 4}, {2, 300_001, 4}, {0, 3, 4}}) {
      int rows = c[0];
      int columns = c[1];
      int wide = (columns + c[2] - 1) / c[2] * c[2];
      NmPattern pattern = new NmPattern(2, c[2]);
      assertEquals(wide, pattern.paddedLength(columns));
      float[] x = new float[rows * columns];
      double[] expected = new double[rows * wide];
      for (int i = 0; i < x.length; i++) {
        x[i] = i % 7 == 0 ? 0 : i % 1000 - 500.5f;
        expected[i / columns * wide + i % columns] = x[i];
      }
      for (String name : backends()) {
        try (Workbench bench = new Workbench(name)) {
          float[] ones = new float[rows * wide];
          Arrays.fill(ones, 1);
          Tensor padded = bench.tensor(ones, rows, wide);
          pattern.padToMultiple(bench.backend(), bench.tensor(x, rows, columns), padded);
          assertArrayEquals(expected, widened(bench.floats(padded)), name);
          Tensor back = bench.tensor(DType.F32, rows, columns);
          pattern.withoutPadding(bench.backend(), padded, back);
          float[] cut = bench.floats(back);
          for (int i = 0; i < x.length; i++) {
            assertEquals(x[i], cut[i], name);
          }
          // Padding takes no place from an entry, not even from one that is 0.
          Tensor mask = bench.tensor(DType.BIT, rows, wide);
          pattern.mask(bench.backend(), padded, mask);
          double[] bits = bench.bits(mask);
          for (int row = 0; row < rows; row++) {
            int first = wide - c[2];
            double kept = 0;
            for (int j = first; j < columns; j++) {
              kept += bits[row * wide + j];
            }
            assertEquals(Math.min(2, columns - first), kept, name);
          }
        }
      }
    }
  }

  private static double[] widened(float[] x) {
    double[] wide = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      wide[i] = x[i];
    }
    return wide;
  }

  @Test
  void transposableMasksAreEqualEverywhereAndFit() {
    Random random = new Random(9);
    for (int[] pattern : new int[][] {{2, 4}, {1, 4}, {4, 8}, {1, 3}, {3, 5}, {2, 2}, {8, 16}}) {
      int n = pattern[0];
      int m = pattern[1];
      int rows = 3 * m;
      int columns = 5 * m;
      float[] x = new float[rows * columns];
      for (int i = 0; i < x.length; i++) {
        x[i] = random.nextInt(3) == 0 ? 1f : (float) random.nextGaussian();
      }
      for (NmPattern.Search search : NmPattern.Search.values()) {
        if (search == NmPattern.Search.BEST && m != 4) {
          continue;
        }
        double[] first = null;
        double firstKept = 0;
        for (String name : backends()) {
          try (Workbench bench = new Workbench(name)) {
            Tensor mask = bench.tensor(DType.BIT, rows, columns);
            double kept =
                new NmPattern(n, m)
                    .transposable(bench.backend(), bench.tensor(x, rows, columns), search, mask);
            double[] bits = bench.bits(mask);
            if (first == null) {
              first = bits;
              firstKept = kept;
              checkTransposable(bits, columns, n, m, search == NmPattern.Search.BEST);
            }
            assertArrayEquals(first, bits, name);
            assertEquals(firstKept, kept, name);
          }
        }
      }
    }
  }

  private static void checkTransposable(double[] bits, int columns, int n, int m, boolean full) {
    for (int i = 0; i < bits.length; i += m) {
      double along = 0;
      for (int j = 0; j < m; j++) {
        along += bits[i + j];
      }
      assertTrue(full ? along == n : along <= n, "row of a tile keeps " + along);
    }
    for (int row = 0; row < bits.length / columns; row += m) {
      for (int column = 0; column < columns; column++) {
        double down = 0;
        for (int j = 0; j < m; j++) {
          down += bits[(row + j) * columns + column];
        }
        assertTrue(full ? down == n : down <= n, "column of a tile keeps " + down);
      }
    }
  }

  @Test
  void refuseWhatDoesNotFit() {
    try (Workbench bench = new Workbench("java")) {
      Tensor x = bench.tensor(new float[12], 2, 6);
      Tensor mask = bench.tensor(DType.BIT, 2, 6);
      refused("n is 5: expected 0 to m", () -> new NmPattern(5, 4));
      refused("m is 0", () -> new NmPattern(0, 0));
      NmPattern pattern = new NmPattern(2, 4);
      Tensor narrow = bench.tensor(new float[14], 2, 7);
      refused("expected a multiple of M = 4", () -> pattern.mask(bench.backend(), x, mask));
      refused("padded is", () -> pattern.padToMultiple(bench.backend(), x, narrow));
      refused("padded is", () -> pattern.withoutPadding(bench.backend(), narrow, x));
      refused("length is -1", () -> pattern.paddedLength(-1));
      refused("axis is 2", () -> pattern.mask(bench.backend(), x, 2, mask));
      refused(
          "4 for the best mask",
          () -> new NmPattern(1, 2).transposable(bench.backend(), x, NmPattern.Search.BEST, mask));
      Tensor flags = bench.tensor(DType.U8, 2, 6);
      Masks masks = Masks.on(bench.backend());
      masks.fill(mask, true);
      masks.unpack(mask, flags);
      refused("expected the shape", () -> masks.apply(bench.tensor(DType.BIT, 12), x, x));
      refused("expected BIT", () -> masks.count(flags));
    }
  }

  private static void refused(String message, Runnable call) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
