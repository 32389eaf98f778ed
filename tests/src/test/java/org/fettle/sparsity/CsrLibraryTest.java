package org.fettle.sparsity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.replay.Workbench;
import org.junit.jupiter.api.Test;

/**
 * Products of compressed rows by a library that is asked for: cuSPARSE's within its tolerance where
 * it is there, refused by name where it is not.
 */
class CsrLibraryTest {
  private static final int ROWS = 37;
  private static final int COLUMNS = 50;
  private static final int BATCH = 19;

  private static float[] floats(long seed, int n, double density) {
    Random random = new Random(seed);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = random.nextDouble() < density ? (float) random.nextGaussian() : 0;
    }
    return values;
  }

  private static CsrMatrix matrix(Workbench bench, double density) {
    float[] weight = floats(1, ROWS * COLUMNS, density);
    double[] bits = new double[weight.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = weight[i] != 0 ? 1 : 0;
    }
    Tensor mask = bench.tensor(DType.BIT, ROWS, COLUMNS);
    bench.putBits(mask, bits);
    return CsrMatrix.of(bench.backend(), mask, bench.tensor(weight, ROWS, COLUMNS));
  }

  /** Results whose terms are at most as many as a row is long and lie below 40 in sum. */
  private static void near(float[] expected, float[] actual, String what) {
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], actual[i], 40 * COLUMNS * 0x1p-23, what + ", " + i);
    }
  }

  @Test
  void isWithinItsToleranceOrRefusedByName() {
    for (Backend.Availability each : Backend.all()) {
      if (!each.isAvailable()) {
        continue;
      }
      for (double density : new double[] {0, 0.1, 0.7}) {
        try (Workbench bench = new Workbench(each.name());
            CsrMatrix matrix = matrix(bench, density)) {
          Tensor x = bench.tensor(floats(2, BATCH * COLUMNS, 1), BATCH, COLUMNS);
          Tensor y = bench.tensor(DType.F32, BATCH, ROWS);
          Tensor dx = bench.tensor(DType.F32, BATCH, COLUMNS);
          matrix.multiply(CsrMatrix.Library.FETTLE, x, y);
          matrix.multiplyTransposed(CsrMatrix.Library.FETTLE, y, dx);
          Tensor same = bench.tensor(DType.F32, BATCH, ROWS);
          matrix.multiply(x, same);
          assertArrayEquals(bench.floats(same), bench.floats(y));
          Tensor other = bench.tensor(DType.F32, BATCH, ROWS);
          Tensor otherDx = bench.tensor(DType.F32, BATCH, COLUMNS);
          RuntimeException refusal = null;
          try {
            matrix.multiply(CsrMatrix.Library.CUSPARSE, x, other);
            matrix.multiplyTransposed(CsrMatrix.Library.CUSPARSE, y, otherDx);
          } catch (IllegalArgumentException | IllegalStateException e) {
            refusal = e;
          }
          if (!each.name().startsWith("cuda")) {
            assertEquals(
                "library is CUSPARSE on backend " + each.name() + ": expected backend cuda",
                refusal.getMessage());
          } else if (refusal != null) {
            assertTrue(refusal instanceof IllegalStateException, refusal.toString());
            assertTrue(refusal.getMessage().contains("libcusparse.so.12"), refusal.getMessage());
          } else {
            near(bench.floats(y), bench.floats(other), "y on " + each.name());
            near(bench.floats(dx), bench.floats(otherDx), "dx on " + each.name());
          }
        }
      }
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    try (Workbench bench = new Workbench("java");
        CsrMatrix matrix = matrix(bench, 0.5)) {
      Tensor x = bench.tensor(DType.F32, BATCH, COLUMNS);
      Tensor y = bench.tensor(DType.F32, BATCH, ROWS);
      for (CsrMatrix.Library library : CsrMatrix.Library.values()) {
        String wide =
            assertThrows(IllegalArgumentException.class, () -> matrix.multiply(library, y, x))
                .getMessage();
        assertTrue(wide.contains("expected the shape [19, 50]"), wide);
        String narrow =
            assertThrows(
                    IllegalArgumentException.class, () -> matrix.multiplyTransposed(library, x, y))
                .getMessage();
        assertTrue(narrow.contains("expected the shape [19, 37]"), narrow);
      }
      assertThrows(NullPointerException.class, () -> matrix.multiply(null, x, y));
      assertThrows(NullPointerException.class, () -> matrix.multiplyTransposed(null, y, x));
    }
  }
}
