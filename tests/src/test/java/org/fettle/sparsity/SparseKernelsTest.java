package org.fettle.sparsity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BiConsumer;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Engines;
import org.fettle.internal.Scratch;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/** Scores, penalties, formats and products: the same bits on every backend, and round trips. */
class SparseKernelsTest {
  private static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  private static float[] floats(long seed, int n) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (float) random.nextGaussian() * (random.nextInt(9) == 0 ? 1e-3f : 1f);
    }
    return values;
  }

  private static double[] bits(long seed, int n, double density) {
    Random random = new Random(seed);
    double[] bits = new double[n];
    for (int i = 0; i < n; i++) {
      bits[i] = random.nextDouble() < density ? 1 : 0;
    }
    return bits;
  }

  /** Runs something on every backend and compares all that it gives by bits. */
  private static void same(String what, BiConsumer<Workbench, List<double[]>> run) {
    List<double[]> expected = null;
    for (String name : backends()) {
      List<double[]> results = new ArrayList<>();
      try (Workbench bench = new Workbench(name)) {
        run.accept(bench, results);
      }
      if (expected == null) {
        expected = results;
      }
      assertEquals(expected.size(), results.size(), what);
      for (int i = 0; i < results.size(); i++) {
        assertArrayEquals(expected.get(i), results.get(i), what + ", result " + i + ", " + name);
      }
    }
  }

  private static double[] values(Workbench bench, Tensor tensor) {
    if (tensor.dtype() == DType.F64) {
      return Scratch.doubles(Engines.named(bench.backend().name()), tensor);
    }
    float[] floats = bench.floats(tensor);
    double[] values = new double[floats.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = floats[i];
    }
    return values;
  }

  @Test
  void scoresAndPenaltiesAreEqualEverywhere() {
    for (int n : new int[] {1, 7, 511, 513, 4095, 4097, 10000}) {
      same(
          "n " + n,
          (bench, results) -> {
            Backend backend = bench.backend();
            Tensor x = bench.tensor(floats(n, n), n);
            Tensor out = bench.tensor(DType.F32, n);
            for (Proximal operator :
                List.of(
                    new Proximal.Soft(0.3),
                    new Proximal.Scad(0.3, 3.7),
                    new Proximal.Mcp(0.3, 2),
                    new Proximal.Hard(0.1))) {
              operator.apply(backend, 0.7, x, out);
              results.add(values(bench, out));
            }
            Proximal.group(backend, 0.5, 0.3, n % 7 == 0 ? 7 : 1, x, out);
            results.add(values(bench, out));
            Polarization rule = new Polarization(0.1, 1.2, 1);
            double loss = rule.gradient(backend, List.of(x), List.of(out), false);
            results.add(new double[] {loss});
            results.add(values(bench, out));
            Tensor w = bench.tensor(floats(n + 1, n), n);
            new RelevanceDecay(0.1).step(backend, 0.05, w, x);
            results.add(values(bench, w));
            Saliency.on(backend).snip(List.of(w), List.of(x), List.of(out));
            results.add(values(bench, out));
            Saliency.on(backend).grasp(List.of(w), List.of(x), List.of(out));
            results.add(values(bench, out));
            Polarization.clamp(backend, w);
            results.add(values(bench, w));
          });
    }
  }

  @Test
  void structuresAndFlowsAreEqualEverywhere() {
    for (int[] shape : new int[][] {{1, 1, 1}, {12, 7, 9}, {8, 130, 40}, {4, 5000, 1}}) {
      int n = shape[0] * shape[1] * shape[2];
      same(
          "shape " + shape[0] + " " + shape[1] + " " + shape[2],
          (bench, results) -> {
            StructuredScores scores = StructuredScores.on(bench.backend());
            Tensor w = bench.tensor(floats(n, n), shape[0], shape[1], shape[2]);
            for (StructuredScores.Norm norm : StructuredScores.Norm.values()) {
              for (DType dtype : new DType[] {DType.F32, DType.F64}) {
                Tensor out = bench.tensor(dtype, shape[0]);
                scores.outputs(norm, w, out);
                results.add(values(bench, out));
                Tensor in = bench.tensor(dtype, shape[1]);
                scores.inputs(norm, w, in);
                results.add(values(bench, in));
                int rest = shape[1] * shape[2];
                Tensor blocks = bench.tensor(dtype, (shape[0] + 4) / 5, (rest + 4) / 5);
                scores.blocks(norm, w, 5, blocks);
                results.add(values(bench, blocks));
              }
            }
            List<Tensor> chain = new ArrayList<>();
            List<Tensor> flows = new ArrayList<>();
            for (int layer = 0; layer < 60; layer++) {
              float[] values = floats(layer, 70 * 70);
              for (int i = 0; i < values.length; i++) {
                values[i] *= 1e6f;
              }
              chain.add(bench.tensor(values, 70, 70));
              flows.add(bench.tensor(DType.F32, 70, 70));
            }
            int exponent = Saliency.on(bench.backend()).synflow(chain, flows);
            assertTrue(exponent > 1000, "exponent " + exponent);
            results.add(new double[] {exponent});
            results.add(values(bench, flows.get(30)));
            assertTrue(bench.floats(flows.get(30))[0] > 0);
          });
    }
  }

  @Test
  void productsAreEqualEverywhereAndRight() {
    for (int[] size : new int[][] {{1, 1, 8}, {5, 13, 24}, {16, 32, 64}, {37, 70, 136}}) {
      int batch = size[0];
      int rows = size[1];
      int columns = size[2];
      float[] w = floats(1, rows * columns);
      float[] x = floats(2, batch * columns);
      double[] mask = bits(3, rows * columns, 0.3);
      double[] expected = new double[batch * rows];
      for (int b = 0; b < batch; b++) {
        for (int i = 0; i < rows; i++) {
          double sum = 0;
          for (int j = 0; j < columns; j++) {
            if (mask[i * columns + j] != 0) {
              sum += (double) x[b * columns + j] * w[i * columns + j];
            }
          }
          expected[b * rows + i] = (float) sum;
        }
      }
      same(
          "product " + batch + " " + rows + " " + columns,
          (bench, results) -> {
            Backend backend = bench.backend();
            Tensor bits = bench.mask(mask, rows, columns);
            Tensor weight = bench.tensor(w, rows, columns);
            Tensor in = bench.tensor(x, batch, columns);
            Tensor y = bench.tensor(DType.F32, batch, rows);
            Tensor dx = bench.tensor(DType.F32, batch, columns);
            try (CsrMatrix csr = CsrMatrix.of(backend, bits, weight)) {
              csr.multiply(in, y);
              assertArrayEquals(expected, values(bench, y), backend.name());
              csr.multiplyTransposed(y, dx);
              results.add(values(bench, dx));
              Tensor back = bench.tensor(DType.F32, rows, columns);
              csr.toDense(back);
              Tensor pruned = bench.tensor(DType.F32, rows, columns);
              Masks.on(backend).apply(bits, weight, pruned);
              assertArrayEquals(bench.floats(pruned), bench.floats(back));
              Tensor again = bench.tensor(DType.BIT, rows, columns);
              csr.toMask(again);
              assertArrayEquals(mask, bench.bits(again));
              csr.sample(y, in, csr.values());
              results.add(values(bench, csr.values()));
              for (boolean ell : new boolean[] {false, true}) {
                try (BlockMatrix blocks =
                    ell
                        ? BlockMatrix.ell(backend, 4, bits, weight)
                        : BlockMatrix.compressedRows(backend, 4, bits, weight)) {
                  blocks.toDense(back);
                  assertArrayEquals(bench.floats(pruned), bench.floats(back));
                }
              }
            }
            Tensor two = bench.tensor(DType.BIT, rows, columns);
            new NmPattern(2, 4).mask(backend, weight, two);
            Tensor half = bench.tensor(DType.F32, rows, columns / 2);
            Tensor codes = bench.tensor(DType.U8, rows, columns / 8);
            Semi24 format = Semi24.on(backend);
            format.compress(weight, two, half, codes, Semi24.Layout.CANONICAL);
            Tensor back = bench.tensor(DType.F32, rows, columns);
            format.decompress(half, codes, Semi24.Layout.CANONICAL, back);
            Masks.on(backend).apply(two, weight, weight);
            assertArrayEquals(bench.floats(weight), bench.floats(back));
            format.multiply(half, codes, in, y);
            results.add(values(bench, y));
            try (CsrMatrix csr = CsrMatrix.of(backend, two, weight)) {
              Tensor same = bench.tensor(DType.F32, batch, rows);
              csr.multiply(in, same);
              assertArrayEquals(bench.floats(same), bench.floats(y));
            }
          });
    }
  }

  @Test
  void refuseWhatIsNoMatrix() {
    try (Workbench bench = new Workbench("java")) {
      Backend backend = bench.backend();
      Tensor dense = bench.tensor(new float[] {1, 2, 3, 0, 0, 0, 0, 0}, 1, 8);
      Tensor values = bench.tensor(DType.F32, 1, 4);
      Tensor codes = bench.tensor(DType.U8, 1, 1);
      Semi24 format = Semi24.on(backend);
      refused(
          "quads that keep more than two",
          () -> format.compress(dense, null, values, codes, Semi24.Layout.CANONICAL));
      refused(
          "elements are F32",
          () -> format.compress(dense, null, values, codes, Semi24.Layout.CUTLASS));
      refused(
          "positions 0 and 0",
          () -> format.decompress(values, codes, Semi24.Layout.CANONICAL, dense));
      Scratch scratch = new Scratch(Engines.named("java"));
      Tensor entries = bench.tensor(DType.F32, 2);
      refused(
          "expected monotone",
          () -> CsrMatrix.view(backend, 4, scratch.ints(0, 3, 2), scratch.ints(0, 1), entries));
      refused(
          "expected 0 to 2",
          () -> CsrMatrix.view(backend, 4, scratch.ints(0, 1), scratch.ints(0, 1), entries));
      refused(
          "expected ascending columns",
          () -> CsrMatrix.view(backend, 4, scratch.ints(0, 2), scratch.ints(1, 1), entries));
      refused(
          "expected ascending columns",
          () -> CsrMatrix.view(backend, 4, scratch.ints(0, 2), scratch.ints(1, 4), entries));
      refused("gamma is 0.5", () -> new Proximal.Mcp(1, 0.5).apply(backend, 1, dense, dense));
      refused("a is 2.0", () -> new Proximal.Scad(1, 2).apply(backend, 1, dense, dense));
      refused("lambda is -1.0", () -> new Proximal.Soft(-1));
      refused("a multiple of the group size", () -> Proximal.group(backend, 1, 1, 3, dense, dense));
      assertArrayEquals(new float[] {1, 2, 3, 0, 0, 0, 0, 0}, bench.floats(dense));
      scratch.close();
    }
  }

  private static void refused(String message, Runnable call) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call::run);
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }
}
