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
      refused("expected a multiple of M = 4", () -> pattern.mask(bench.backend(), x, mask));
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
