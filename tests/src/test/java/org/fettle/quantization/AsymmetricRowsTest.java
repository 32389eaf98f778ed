package org.fettle.quantization;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.IntegerFormat;
import org.fettle.IntegerFormat.Scheme;
import org.fettle.Quantized;
import org.fettle.Quantizer;
import org.fettle.ScaleGrid;
import org.fettle.Tensor;
import org.junit.jupiter.api.Test;

/**
 * OPTQ's codes are those of its authors' doubles, where it counts: the lowest value of a centred
 * row, and the zero point of a row of zeros, are ties that floats round to either side.
 */
class AsymmetricRowsTest {
  private static final int ROWS = 64;

  @Test
  void codesAreThoseOfDoubles() {
    for (int columns : new int[] {3, 37}) {
      for (int bits = 1; bits <= 8; bits++) {
        check(new IntegerFormat(bits, Scheme.CENTRED, ScaleGrid.ROW), columns);
        check(new IntegerFormat(bits, Scheme.ASYMMETRIC, ScaleGrid.ROW), columns);
      }
    }
  }

  private static void check(IntegerFormat format, int columns) {
    float[] values = new float[ROWS * columns];
    java.util.Random random = new java.util.Random(format.bits());
    for (int i = 0; i < values.length; i++) {
      values[i] = i < columns ? 0f : (float) random.nextGaussian();
    }
    for (int row = 1; row < ROWS; row++) {
      values[row * columns] = -4f - row / 7f;
    }
    Tensor x = Tensor.allocate(DType.F32, ROWS, columns);
    x.buffer().asFloatBuffer().put(values);
    for (Backend backend : Probe.backends()) {
      Tensor codes = Tensor.allocate(DType.U8, ROWS, columns);
      Tensor zeros = Tensor.allocate(DType.I32, ROWS);
      Quantizer.on(backend)
          .quantize(
              format,
              x,
              Quantized.of(codes, Tensor.allocate(DType.F32, ROWS)).withZeroPoints(zeros));
      for (int row = 0; row < ROWS; row++) {
        double[] expected =
            codes(format, java.util.Arrays.copyOfRange(values, row * columns, (row + 1) * columns));
        String where = format + ", row " + row + " on " + backend;
        assertEquals(expected[columns], zeros.buffer().getInt(4 * row), where);
        for (int i = 0; i < columns; i++) {
          int code = codes.buffer().get(row * columns + i) & 0xFF;
          assertEquals(expected[i], code, where + ", column " + i);
        }
      }
    }
  }

  /** The codes of a row, and its zero point behind them. */
  private static double[] codes(IntegerFormat format, float... row) {
    double low = 0;
    double high = 0;
    for (float x : row) {
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
    boolean centred = format.scheme() == Scheme.CENTRED;
    if (centred) {
      high = Math.max(-low, high);
      low = low < 0 ? -high : low;
    }
    if (low == 0 && high == 0) {
      low = -1;
      high = 1;
    }
    double levels = (1 << format.bits()) - 1;
    // Rows have the width of their floats, rounded once.
    double divisor = (float) (high - low) / levels;
    double[] codes = new double[row.length + 1];
    double zero = centred ? 1 << (format.bits() - 1) : Math.rint(-low / divisor);
    for (int i = 0; i < row.length; i++) {
      codes[i] = Math.min(Math.max(Math.rint(row[i] / divisor) + zero, 0), levels);
    }
    codes[row.length] = zero;
    return codes;
  }
}
