package org.fettle.sparsity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Keys;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/** Selections against sorting, and every backend against the first. */
class SelectionTest {
  private static final int[] SIZES = {0, 1, 7, 8, 511, 512, 513, 4095, 4096, 4097, 10000, 300000};

  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  private static float[] values(Random random, int n, int kind) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] =
          switch (kind) {
            case 0 -> (float) random.nextGaussian();
            case 1 -> random.nextInt(5) - 2;
            case 2 -> -1.5f;
            case 3 -> Float.intBitsToFloat(random.nextInt(1 << 23));
            case 4 -> Float.intBitsToFloat(random.nextInt());
            default -> 1f + random.nextFloat();
          };
    }
    return values;
  }

  /** The places in the order in which they are kept. */
  private static int[] order(float[] values, double[] part, boolean signed) {
    return IntStream.range(0, values.length)
        .filter(i -> part == null || part[i] != 0)
        .boxed()
        .sorted(
            Comparator.comparingLong(
                    (Integer i) ->
                        -(long) Keys.of(Float.floatToRawIntBits(values[i]), DType.F32, signed))
                .thenComparing(i -> i))
        .mapToInt(i -> i)
        .toArray();
  }

  @Test
  void keepsTheFirstOfTheSortedOrder() {
    Random random = new Random(11);
    for (int n : SIZES) {
      for (int kind = 0; kind < 6; kind++) {
        float[] x = values(random, n, kind);
        double[] part =
            random.nextBoolean() ? null : random.ints(n, 0, 2).asDoubleStream().toArray();
        boolean signed = random.nextBoolean();
        int[] order = order(x, part, signed);
        int k = order.length == 0 ? 0 : random.nextInt(order.length + 1);
        double[] expected = new double[n];
        Arrays.stream(order).limit(k).forEach(i -> expected[i] = 1);
        for (String name : backends()) {
          for (int threads = 1; threads <= 3; threads++) {
            try (Workbench bench = new Workbench(name)) {
              Tensor values = bench.tensor(x, n);
              Tensor mask = part == null ? bench.tensor(DType.BIT, n) : bench.mask(part, n);
              Selection selection =
                  Selection.on(bench.backend())
                      .withKey(signed ? Selection.Key.SIGNED : Selection.Key.MAGNITUDE)
                      .withThreads(threads);
              if (part != null) {
                selection = selection.inside(List.of(mask));
              }
              String what = name + ", n " + n + ", kind " + kind + ", k " + k;
              assertArrayEquals(Arrays.copyOf(order, k), selection.indices(k, values), what);
              Selection.Outcome found = selection.keepLargest(k, values, mask);
              assertArrayEquals(expected, bench.bits(mask), what);
              assertEquals(k, found.kept(), what);
              assertTrue(found.passes() <= 5, what + ", passes " + found.passes());
            }
          }
        }
      }
    }
  }

  @Test
  void takesManyTensorsForOne() {
    Random random = new Random(5);
    List<float[]> parts = new ArrayList<>();
    int n = 0;
    for (int size : new int[] {70000, 0, 13, 200000}) {
      parts.add(values(random, size, size == 13 ? 1 : 0));
      n += size;
    }
    float[] all = new float[n];
    int at = 0;
    for (float[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    for (String name : backends()) {
      for (int k : new int[] {0, 1, 1000, n / 2, n}) {
        try (Workbench bench = new Workbench(name)) {
          Tensor mask = bench.tensor(DType.BIT, n);
          Selection selection = Selection.on(bench.backend());
          Selection.Outcome one = selection.keepLargest(k, bench.tensor(all, n), mask);
          List<Tensor> values = new ArrayList<>();
          List<Tensor> masks = new ArrayList<>();
          for (float[] part : parts) {
            values.add(bench.tensor(part, part.length));
            masks.add(bench.tensor(DType.BIT, part.length));
          }
          Selection.Outcome many = selection.keepLargest(k, values, masks);
          assertEquals(one, many, name);
          double[] joined =
              masks.stream().flatMapToDouble(m -> Arrays.stream(bench.bits(m))).toArray();
          assertArrayEquals(bench.bits(mask), joined, name);
        }
      }
    }
  }

  @Test
  void readsRandomValuesOnceAndTheWorstAtMostFiveTimes() {
    Random random = new Random(3);
    int n = 1 << 20;
    for (String name : backends()) {
      for (int kind = 0; kind < 6; kind++) {
        try (Workbench bench = new Workbench(name)) {
          Tensor x = bench.tensor(values(random, n, kind), n);
          int passes = Selection.on(bench.backend()).find(n / 3, List.of(x)).passes();
          assertTrue(passes <= (kind == 0 ? 1 : 5), name + ", kind " + kind + ": " + passes);
        }
      }
    }
  }

  @Test
  void tiesFollowTheirNames() {
    float[] x = {3, -1, 2, 1, -2, 1, 0};
    for (String name : backends()) {
      try (Workbench bench = new Workbench(name)) {
        Tensor values = bench.tensor(x, 7);
        Tensor mask = bench.tensor(DType.BIT, 7);
        Selection selection = Selection.on(bench.backend());
        selection.keepLargest(4, values, mask);
        assertArrayEquals(new double[] {1, 1, 1, 0, 1, 0, 0}, bench.bits(mask));
        Selection.Outcome none =
            selection.withTies(Selection.Ties.NONE).keepLargest(4, values, mask);
        assertArrayEquals(new double[] {1, 0, 1, 0, 1, 0, 0}, bench.bits(mask));
        assertEquals(3, none.kept());
        Selection.Outcome all = selection.withTies(Selection.Ties.ALL).keepLargest(4, values, mask);
        assertArrayEquals(new double[] {1, 1, 1, 1, 1, 1, 0}, bench.bits(mask));
        assertEquals(6, all.kept());
      }
    }
  }

  @Test
  void halvesAreSelectedLikeFloats() {
    Random random = new Random(8);
    short[] codes = new short[5000];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (short) random.nextInt();
    }
    for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
      for (boolean signed : new boolean[] {false, true}) {
        int[] order =
            IntStream.range(0, codes.length)
                .boxed()
                .sorted(
                    Comparator.comparingLong(
                            (Integer i) -> -(long) Keys.of(codes[i] << 16, dtype, signed))
                        .thenComparing(i -> i))
                .mapToInt(i -> i)
                .toArray();
        for (String name : backends()) {
          try (Workbench bench = new Workbench(name)) {
            Tensor x = bench.tensor(dtype, codes.length);
            bench.put(x, codes);
            int[] found =
                Selection.on(bench.backend())
                    .withKey(signed ? Selection.Key.SIGNED : Selection.Key.MAGNITUDE)
                    .indices(1234, x);
            assertArrayEquals(Arrays.copyOf(order, 1234), found, name + ", " + dtype);
          }
        }
      }
    }
  }

  @Test
  void topRowsAreTheSortedRows() {
    Random random = new Random(4);
    for (int columns : new int[] {1, 7, 33, 511, 4097, 5000}) {
      int rows = 5;
      float[] x = values(random, rows * columns, columns % 2 == 0 ? 4 : 1);
      int k = 1 + random.nextInt(columns);
      for (String name : backends()) {
        try (Workbench bench = new Workbench(name)) {
          Tensor values = bench.tensor(DType.F32, rows, k);
          Tensor places = bench.tensor(DType.I32, rows, k);
          Selection.on(bench.backend())
              .withKey(Selection.Key.SIGNED)
              .topRows(k, bench.tensor(x, rows, columns), values, places);
          double[] found = bench.integers(places);
          float[] kept = bench.floats(values);
          for (int row = 0; row < rows; row++) {
            float[] one = Arrays.copyOfRange(x, row * columns, (row + 1) * columns);
            int[] order = order(one, null, true);
            for (int i = 0; i < k; i++) {
              assertEquals(order[i], (int) found[row * k + i], name);
              assertEquals(
                  Float.floatToIntBits(one[order[i]]),
                  Float.floatToIntBits(kept[row * k + i]),
                  name);
            }
          }
        }
      }
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    try (Workbench bench = new Workbench("java")) {
      Tensor x = bench.tensor(new float[] {1, 2, 3}, 3);
      Tensor mask = bench.mask(new double[] {1, 0, 1}, 3);
      Selection selection = Selection.on(bench.backend());
      refused("k is 4: expected 0 to 3", () -> selection.keepLargest(4, x, mask));
      refused("k is -1: expected 0 to 3", () -> selection.keepLargest(-1, x, mask));
      refused(
          "k is 3: expected 0 to 2", () -> selection.inside(List.of(mask)).keepLargest(3, x, mask));
      refused("no tensors", () -> selection.find(0, List.of()));
      refused("mask 0 is", () -> selection.keepLargest(1, x, bench.tensor(DType.BIT, 4)));
      refused("expected BIT", () -> selection.keepLargest(1, x, bench.tensor(DType.U8, 3)));
      refused("expected F32, BF16 or F16", () -> selection.find(1, List.of(mask)));
      refused(
          "2 masks: expected 1", () -> selection.keepLargest(1, List.of(x), List.of(mask, mask)));
      Tensor dirty = Tensor.allocate(DType.BIT, 8);
      Masks.on(bench.backend()).fill(dirty, true);
      Tensor behind = Tensor.of(dirty.buffer(), DType.BIT, 3);
      refused("ones behind its last element", () -> Masks.on(bench.backend()).count(behind));
      assertArrayEquals(new double[] {1, 0, 1}, bench.bits(mask));
    }
  }

  private static void refused(String message, Runnable call) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
