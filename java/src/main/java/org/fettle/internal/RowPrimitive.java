package org.fettle.internal;

import static org.fettle.Arithmetic.fma;
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
      row[0] = square == 0.0 ? 0f : (float) (2.0 * f[0] * (1.0 - 1.0 / Math.sqrt(square)));
      return NORM_LOSS.begin(f, square, at, row);
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        out[i] = row[0] * in[0][i];
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
        out[i] = fma(row[0], in[0][i], in[1][i]);
      }
    }
  },
  NORM_LOSS_DECAY {
    @Override
    double begin(double[] f, double square, float at, float[] row) {
      double shrink = 1.0 - 1.0 / (Math.sqrt(square) + f[2]);
      row[0] = square == 0.0 ? 1f : (float) (1.0 - f[1] * 2.0 * f[0] * shrink);
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
      return 0.0;
    }

    @Override
    void apply(float[] row, int n, float[][] in, float[] out) {
      for (int i = 0; i < n; i++) {
        float x = in[0][i];
        // s is 1 / (1 - x) below 0, and ln s better taken as -ln(1 - x).
        float y = logarithm(1f + Math.abs(x));
        out[i] = (x >= 0f ? y : -y) - row[0];
      }
    }
  },
  STABLEMAX_LOSS {
    @Override
    double begin(double[] f, double sum, float at, float[] row) {
      double y = log(1.0 + (at < 0f ? -(double) at : (double) at));
      return log(sum) - (at >= 0f ? y : -y);
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
        out[i] = slope(in[0][i]) * row[0];
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
    return slope(at) * row[1];
  }

  /** x + 1 for x &gt;= 0, 1 / (1 - x) below. */
  private static float stable(float x) {
    float d = 1f + Math.abs(x);
    return x >= 0f ? d : 1f / d;
  }

  /** The slope of {@link #stable}. */
  private static float slope(float x) {
    float s = stable(x);
    return x >= 0f ? 1f : s * s;
  }
}
