package org.fettle.sparsity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.BlockMatrixKernels;
import org.fettle.internal.kernels.ProductKernels;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/** Products with matrices of blocks: the bits of a plain sum in double, and those of CSR. */
class BlockProductTest {
  private static final int[] SIZES = {1, 4, 5, 16, 32, 100};

  /** Batch, rows, columns. */
  private static final int[][] SHAPES = {
    {1, 1, 1},
    {5, 13, 24},
    {16, 32, 64},
    {37, 70, 136},
    {61, 40, 7},
    {64, 33, 50},
    {130, 165, 97},
    {3, 0, 8},
    {3, 8, 0},
    {0, 8, 8}
  };

  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  private static float[] floats(Random random, int n) {
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian() * (random.nextInt(9) == 0 ? 1e-3f : 1f);
    }
    return values;
  }

  /** A third of the blocks, which hold half of their entries; the first block row is empty. */
  private static double[] mask(Random random, int rows, int columns, int size) {
    double[] mask = new double[rows * columns];
    int across = (columns + size - 1) / size;
    boolean[] kept = new boolean[((rows + size - 1) / size) * across];
    for (int i = rows > size ? across : 0; i < kept.length; i++) {
      kept[i] = random.nextInt(3) == 0;
    }
    for (int i = 0; i < mask.length; i++) {
      boolean there = kept[i / columns / size * across + i % columns / size];
      mask[i] = there && random.nextBoolean() ? 1 : 0;
    }
    return mask;
  }

  /** x W^T for the kept entries of W, in one order for both forms of W. */
  private static float[] product(float[] x, float[] w, double[] mask, int[] shape, boolean swap) {
    int inner = swap ? shape[1] : shape[2];
    int outer = swap ? shape[2] : shape[1];
    float[] y = new float[shape[0] * outer];
    for (int i = 0; i < y.length; i++) {
      double sum = 0;
      for (int j = 0; j < inner; j++) {
        int at = swap ? j * outer + i % outer : i % outer * inner + j;
        if (mask[at] != 0) {
          sum += (double) x[i / outer * inner + j] * w[at];
        }
      }
      y[i] = (float) sum;
    }
    return y;
  }

  private static float[] sampled(float[] dy, float[] x, int[] shape) {
    float[] out = new float[shape[1] * shape[2]];
    for (int i = 0; i < out.length; i++) {
      double sum = 0;
      for (int n = 0; n < shape[0]; n++) {
        sum += (double) dy[n * shape[1] + i / shape[2]] * x[n * shape[2] + i % shape[2]];
      }
      out[i] = (float) sum;
    }
    return out;
  }

  /** What the stored blocks hold of a dense matrix: zeros beyond it. */
  private static float[] blocks(Workbench bench, BlockMatrix matrix, float[] dense, int perRow) {
    int size = matrix.blockSize();
    double[] places = bench.integers(matrix.blockColumns());
    double[] starts = perRow < 0 ? bench.integers(matrix.rowPointers()) : null;
    float[] values = new float[places.length * size * size];
    int blockRow = 0;
    for (int p = 0; p < places.length; p++) {
      while (starts != null && p >= starts[blockRow + 1]) {
        blockRow++;
      }
      int row = (starts == null ? p / perRow : blockRow) * size;
      int column = (int) (places[p] * size);
      for (int i = 0; i < size * size && column >= 0; i++) {
        if (row + i / size < matrix.rows() && column + i % size < matrix.columns()) {
          int at = (row + i / size) * (int) matrix.columns() + column + i % size;
          values[p * size * size + i] = dense[at];
        }
      }
    }
    return values;
  }

  @Test
  void productsAreThoseOfCompressedRowsAndOfPlainSums() {
    for (int[] shape : SHAPES) {
      for (int size : SIZES) {
        Random random = new Random(31L * shape[0] + size);
        float[] w = floats(random, shape[1] * shape[2]);
        float[] x = floats(random, shape[0] * shape[2]);
        float[] dy = floats(random, shape[0] * shape[1]);
        double[] mask = mask(random, shape[1], shape[2], size);
        for (String name : backends()) {
          for (boolean ell : new boolean[] {false, true}) {
            String what = Arrays.toString(shape) + ", blocks of " + size + ", " + name + ", " + ell;
            try (Workbench bench = new Workbench(name)) {
              compare(what, bench, new float[][] {w, x, dy}, mask, shape, size, ell);
            }
          }
        }
      }
    }
  }

  private static void compare(
      String what,
      Workbench bench,
      float[][] arrays,
      double[] mask,
      int[] shape,
      int size,
      boolean ell) {
    Backend backend = bench.backend();
    Tensor bits = bench.mask(mask, shape[1], shape[2]);
    Tensor weight = bench.tensor(arrays[0], shape[1], shape[2]);
    Tensor x = bench.tensor(arrays[1], shape[0], shape[2]);
    Tensor dy = bench.tensor(arrays[2], shape[0], shape[1]);
    float[] other = new float[shape[0] * shape[1]];
    Arrays.fill(other, 7);
    Tensor y = bench.tensor(other, shape[0], shape[1]);
    Tensor same = bench.tensor(DType.F32, shape[0], shape[1]);
    Tensor dx = bench.tensor(DType.F32, shape[0], shape[2]);
    Tensor sameGradient = bench.tensor(DType.F32, shape[0], shape[2]);
    try (BlockMatrix matrix =
            ell
                ? BlockMatrix.ell(backend, size, bits, weight)
                : BlockMatrix.compressedRows(backend, size, bits, weight);
        CsrMatrix csr = CsrMatrix.of(backend, bits, weight)) {
      assertEquals(size, matrix.blockSize());
      matrix.multiply(x, y);
      assertArrayEquals(
          product(arrays[1], arrays[0], mask, shape, false), bench.floats(y), what + ", x W^T");
      csr.multiply(x, same);
      assertArrayEquals(bench.floats(same), bench.floats(y), what + ", CSR's x W^T");
      matrix.multiplyTransposed(dy, dx);
      assertArrayEquals(
          product(arrays[2], arrays[0], mask, shape, true), bench.floats(dx), what + ", dy W");
      csr.multiplyTransposed(dy, sameGradient);
      assertArrayEquals(bench.floats(sameGradient), bench.floats(dx), what + ", CSR's dy W");

      float[] dense = sampled(arrays[2], arrays[1], shape);
      matrix.sample(dy, x, matrix.values());
      int perRow = ell ? (int) matrix.blockColumns().shape()[1] : -1;
      assertArrayEquals(
          blocks(bench, matrix, dense, perRow), bench.floats(matrix.values()), what + ", dy^T x");
      Tensor gradient = bench.tensor(DType.F32, csr.values().shape());
      csr.sample(dy, x, gradient);
      Tensor all = bench.tensor(DType.F32, shape[1], shape[2]);
      matrix.toDense(all);
      float[] spread = bench.floats(all);
      float[] kept = new float[(int) gradient.elements()];
      for (int i = 0, at = 0; i < mask.length; i++) {
        if (mask[i] != 0) {
          kept[at++] = spread[i];
        }
      }
      assertArrayEquals(bench.floats(gradient), kept, what + ", CSR's dy^T x");

      // Both products go by the values that the matrix has now.
      matrix.multiplyTransposed(dy, dx);
      double[] ones = new double[mask.length];
      Arrays.fill(ones, 1);
      assertArrayEquals(product(arrays[2], spread, ones, shape, true), bench.floats(dx), what);
      matrix.multiply(x, y);
      assertArrayEquals(product(arrays[1], spread, ones, shape, false), bench.floats(y), what);
    }
  }

  @Test
  void threadsChangeNoBit() {
    int[] shape = {200, 300, 260};
    Random random = new Random(5);
    float[] w = floats(random, shape[1] * shape[2]);
    float[] x = floats(random, shape[0] * shape[2]);
    float[] dy = floats(random, shape[0] * shape[1]);
    for (int size : new int[] {5, 16}) {
      double[] mask = mask(random, shape[1], shape[2], size);
      float[] expected = product(x, w, mask, shape, false);
      float[] gradient = sampled(dy, x, shape);
      for (String name : backends()) {
        for (int threads = 1; threads <= 5; threads++) {
          try (Workbench bench = new Workbench(name);
              BlockMatrix matrix =
                  BlockMatrix.compressedRows(
                      bench.backend(),
                      size,
                      bench.mask(mask, shape[1], shape[2]),
                      bench.tensor(w, shape[1], shape[2]))) {
            long tiles = (shape[0] + 15L) / 16;
            Tensor in = bench.tensor(x, shape[0], shape[2]);
            Tensor packed = bench.tensor(DType.F32, tiles, shape[2], 16);
            bench.run(
                new KernelCall(ProductKernels.PACK)
                    .arrays(in, packed)
                    .integers(shape[0], shape[2])
                    .units(tiles, 1L << 30)
                    .threads(threads));
            Tensor y = bench.tensor(DType.F32, shape[0], shape[1]);
            bench.run(
                new KernelCall(BlockMatrixKernels.PRODUCT)
                    .arrays(matrix.rowPointers(), matrix.blockColumns(), matrix.values(), packed, y)
                    .integers(shape[0], shape[1], shape[2], size, size, 1)
                    .units(tiles * ((shape[1] + 31L) / 32), 1L << 30)
                    .threads(threads));
            assertArrayEquals(expected, bench.floats(y), name + ", threads " + threads);
            Tensor out = bench.tensor(DType.F32, matrix.values().shape());
            bench.run(
                new KernelCall(BlockMatrixKernels.SAMPLED)
                    .arrays(
                        matrix.rowPointers(),
                        matrix.blockColumns(),
                        out,
                        bench.tensor(dy, shape[0], shape[1]),
                        in)
                    .integers(shape[0], shape[1], shape[2], size)
                    .units((matrix.rowPointers().elements() - 1) * size, 1L << 30)
                    .threads(threads));
            assertArrayEquals(
                blocks(bench, matrix, gradient, -1),
                bench.floats(out),
                name + ", dy^T x, threads " + threads);
          }
        }
      }
    }
  }

  @Test
  void storedZerosCountAndBlocksThatAreNotThereDoNot() {
    double[] mask = new double[4 * 6];
    mask[0] = 1;
    float[] w = new float[mask.length];
    Arrays.fill(w, 2);
    float[] x = {1, Float.POSITIVE_INFINITY, 3, 4, 5, Float.NaN};
    for (String name : backends()) {
      for (boolean ell : new boolean[] {false, true}) {
        try (Workbench bench = new Workbench(name)) {
          Tensor bits = bench.mask(mask, 4, 6);
          Tensor weight = bench.tensor(w, 4, 6);
          Tensor in = bench.tensor(x, 1, 6);
          Tensor y = bench.tensor(DType.F32, 1, 4);
          try (BlockMatrix matrix =
              ell
                  ? BlockMatrix.ell(bench.backend(), 2, bits, weight)
                  : BlockMatrix.compressedRows(bench.backend(), 2, bits, weight)) {
            if (ell) {
              assertNull(matrix.rowPointers());
            } else {
              assertArrayEquals(new double[] {0, 1, 1}, bench.integers(matrix.rowPointers()));
            }
            matrix.multiply(in, y);
            assertArrayEquals(new float[] {Float.NaN, Float.NaN, 0, 0}, bench.floats(y), name);
          }
          try (CsrMatrix csr = CsrMatrix.of(bench.backend(), bits, weight)) {
            csr.multiply(in, y);
            assertArrayEquals(new float[] {2, 0, 0, 0}, bench.floats(y), name);
          }
        }
      }
    }
  }

  @Test
  void refusesWhatDoesNotFitBeforeAnythingIsWritten() {
    for (String name : backends()) {
      try (Workbench bench = new Workbench(name)) {
        Backend backend = bench.backend();
        double[] ones = new double[6 * 10];
        Arrays.fill(ones, 1);
        Tensor bits = bench.mask(ones, 6, 10);
        Tensor weight = bench.tensor(floats(new Random(1), 60), 6, 10);
        Tensor x = bench.tensor(floats(new Random(2), 30), 3, 10);
        float[] before = floats(new Random(3), 18);
        Tensor y = bench.tensor(before, 3, 6);
        refused("block size is 0", () -> BlockMatrix.ell(backend, 0, bits, weight));
        BlockMatrix matrix = BlockMatrix.compressedRows(backend, 4, bits, weight);
        float[] values = bench.floats(matrix.values());
        refused("x is", () -> matrix.multiply(y, y));
        refused("x is", () -> matrix.multiply(bench.tensor(DType.F32, 10), y));
        refused("x is", () -> matrix.multiply(bench.tensor(DType.BF16, 3, 10), y));
        refused("y is", () -> matrix.multiply(x, bench.tensor(DType.F32, 2, 6)));
        refused("y is", () -> matrix.multiply(x, bench.tensor(DType.F16, 3, 6)));
        refused("expected the shape [3, 6]", () -> matrix.multiply(x, x));
        refused("dy is", () -> matrix.multiplyTransposed(x, x));
        refused("dx is", () -> matrix.multiplyTransposed(y, y));
        refused("dy is", () -> matrix.sample(x, x, matrix.values()));
        refused("x is", () -> matrix.sample(y, y, matrix.values()));
        refused("out is", () -> matrix.sample(y, x, bench.tensor(DType.F32, 6, 10)));
        refused("out is", () -> matrix.sample(y, x, bench.tensor(DType.F64, 6, 4, 4)));
        assertThrows(NullPointerException.class, () -> matrix.multiply(null, y));
        assertThrows(NullPointerException.class, () -> matrix.multiply(x, null));
        assertThrows(NullPointerException.class, () -> matrix.multiplyTransposed(null, x));
        assertThrows(NullPointerException.class, () -> matrix.sample(y, x, null));
        assertArrayEquals(before, bench.floats(y), name);
        assertArrayEquals(values, bench.floats(matrix.values()), name);

        Tensor square = bench.tensor(floats(new Random(4), 36), 6, 6);
        Tensor squareBits = bench.mask(Arrays.copyOf(ones, 36), 6, 6);
        try (BlockMatrix whole = BlockMatrix.ell(backend, 6, squareBits, square)) {
          refused("overlaps", () -> whole.multiply(square, square));
          refused("overlaps", () -> whole.multiplyTransposed(square, square));
        }
        matrix.close();
        refused("freed", () -> matrix.multiply(x, y));
        refused("freed", () -> matrix.multiplyTransposed(y, x));
        refused("freed", () -> matrix.sample(y, x, bench.tensor(DType.F32, 6, 4, 4)));
        assertArrayEquals(before, bench.floats(y), name);
      }
    }
  }

  private static void refused(String message, Runnable call) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
