package org.fettle.internal;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.liftOf;
import static org.fettle.Transcendental.log;
import static org.fettle.Transcendental.logarithm;

/**
 * The arithmetic of the primitives with a sum per row: twin of {@code
 * native/src/primitives/rows.h}, which says what each computes.
 */
enum RowPrimitive {
  NORM_LOSS {
    @Override
    double begin(double[] f, double square, float at, float[] row) {
      double excess = 1.0 - Math.sqrt(square);
      return excess * excess;
    }
  },
  NORM_LOSS_GRADIENT {
    @Override
    double begin(double[] f, double square, float at, float[] row) {
      double norm = Math.sqrt(square);
      double up = liftOf(norm);
      row[0] = square == 0.0 ? 0f : (float) (2.0 * f[0] * (1.0 - 1.0 / norm) / up);
      row[1] = (float) up;
      return NORM_LOSS.begin(f, square, at, row);
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        out[i] = row[0] * (in[0][i] * row[1]);
      }
    }
  },
  NORM_LOSS_ADD {
    @Override
    double begin(double[] f, double square, float at, float[] row) {
      return NORM_LOSS_GRADIENT.begin(f, square, at, row);
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        out[i] = fma(row[0], in[0][i] * row[1], in[1][i]);
      }
    }
  },
  NORM_LOSS_DECAY {
    @Override
    double begin(double[] f, double square, float at, float[] row) {
      double norm = Math.sqrt(square) + f[2];
      double up = square == 0.0 ? 1.0 : liftOf(norm);
      double factor = (1.0 - f[1] * 2.0 * f[0] * (1.0 - 1.0 / norm)) / up;
      row[0] = square == 0.0 ? 1f : (float) factor;
      row[1] = (float) up;
      return NORM_LOSS.begin(f, square, at, row);
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      NORM_LOSS_GRADIENT.apply(row, n, in, out);
    }
  },
  ABSOLUTE_MEAN {
    @Override
    double begin(double[] f, double sum, float at, float[] row) {
      row[0] = (float) (sum / f[0]);
      return 0.0;
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      java.util.Arrays.fill(out, 0, n, row[0]);
    }
  },
  STABLEMAX {
    @Override
    double begin(double[] f, double sum, float at, float[] row) {
      row[0] = (float) sum;
      return 0.0;
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        out[i] = stable(in[0][i]) / row[0];
      }
    }
  },
  LOG_STABLEMAX {
    @Override
    double begin(double[] f, double sum, float at, float[] row) {
      row[0] = (float) log(sum);
      row[1] = (float) sum;
      return 0.0;
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        float x = in[0][i];
        float d = 1f + Math.abs(x);
        float quotient = stable(x) / row[1];
        boolean tiny = quotient < 0x1p-100f;
        float y = logarithm(tiny ? d : quotient);
        out[i] = tiny ? (x >= 0f ? y : -y) - row[0] : y;
      }
    }
  },
  STABLEMAX_LOSS {
    @Override
    double begin(double[] f, double sum, float at, float[] row) {
      // Of s as the sum has it, so that their roundings cancel.
      return log(sum) - log((double) stable(at));
    }
  },
  STABLEMAX_LOSS_GRADIENT {
    @Override
    double begin(double[] f, double sum, float at, float[] row) {
      row[0] = (float) (f[0] / sum);
      row[1] = (float) (f[0] * (1.0 / sum - 1.0 / (double) stable(at)));
      return STABLEMAX_LOSS.begin(f, sum, at, row);
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        out[i] = timesSlope(row[0], in[0][i]);
      }
    }
  };

  /** The pairs whose products the row's sum adds. */
  void terms(int n, float[] x, float[] a, float[] b) {
    if (isOfSquares()) {
      System.arraycopy(x, 0, a, 0, n);
      System.arraycopy(x, 0, b, 0, n);
      return;
    }
    for (int i = 0; i < n; i++) {
      a[i] = this == ABSOLUTE_MEAN ? Math.abs(x[i]) : stable(x[i]);
      b[i] = 1f;
    }
  }

  /**
   * Forms a row's factors.
   *
   * @param f the item's factors
   * @param sum the row's sum
   * @param at the element at the row's label
   * @param row receives the factors
   * @return what the row adds to the item's sum
   */
  abstract double begin(double[] f, double sum, float at, float[] row);

  /** One tile of the output. */
  void apply(float[] row, int n, float[][] in, float[] out) {
    throw new IllegalStateException(name() + " has no output");
  }

  /** Whether the sum is that of the squares; else it is that of the stable exponentials. */
  private boolean isOfSquares() {
    return this == NORM_LOSS
        || this == NORM_LOSS_GRADIENT
        || this == NORM_LOSS_ADD
        || this == NORM_LOSS_DECAY;
  }

  /** Whether rows have labels. */
  boolean isLabelled() {
    return this == STABLEMAX_LOSS || this == STABLEMAX_LOSS_GRADIENT;
  }

  /** The output at the row's label. */
  float applyLabel(float[] row, float at) {
    return timesSlope(row[1], at);
  }

  /** x + 1 for x &gt;= 0, 1 / (1 - x) below. */
  private static float stable(float x) {
    float d = 1f + Math.abs(x);
    return x >= 0f ? d : 1f / d;
  }

  /** y times the slope of {@link #stable}, whose square by itself may be no float. */
  private static float timesSlope(float y, float x) {
    float s = stable(x);
    return x >= 0f ? y : s * (s * y);
  }
}
