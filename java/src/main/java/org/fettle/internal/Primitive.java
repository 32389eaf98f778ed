package org.fettle.internal;

import static org.fettle.Arithmetic.clamp;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Transcendental.arctangent;

import java.util.Arrays;

/**
 * The primitives, in the order of {@code native/include/fettle/primitives.def}. Here stands the
 * arithmetic of the elementwise ones, twin of {@code native/src/primitives/elements.h}, which says
 * what each computes.
 */
public enum Primitive {
  /** g to factor * g. */
  SCALE(1, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = in[0][i] * c[0];
      }
    }
  },
  /** As SCALE; the sum is 0 if every value is finite, before and after, and NaN otherwise. */
  UNSCALE(1, 1, 1) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float x = in[0][i];
        float y = x * c[0];
        out[0][i] = y;
        a[0][i] = 0f * x + 0f * y;
        b[0][i] = 1f;
      }
    }
  },
  /** g limited to [-limit, limit]. */
  CLIP_VALUE(1, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = clamp(in[0][i], c[0]);
      }
    }
  },
  /** The sum of squares. */
  SQUARE_SUM(1, 0, 1) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      System.arraycopy(in[0], 0, a[0], 0, n);
      System.arraycopy(in[0], 0, b[0], 0, n);
    }
  },
  /** The sum of magnitudes. */
  ABSOLUTE_SUM(1, 0, 1) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        a[0][i] = Math.abs(in[0][i]);
        b[0][i] = 1f;
      }
    }
  },
  /** The largest magnitude; NaN comes out. */
  ABSOLUTE_MAX(1, 0, 1) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        a[0][i] = Math.abs(in[0][i]);
      }
    }
  },
  /** Copies array 0 to array 1, byte for byte. */
  COPY(1, 0, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {}
  },
  /** p, g to p + factor * g; saves p. */
  ASCEND(2, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[1][i], in[0][i]);
      }
    }
  },
  /** p, g: the sum of (T * g)^2, T = |p| + eta. */
  WEIGHTED_SQUARE_SUM(2, 0, 1) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float x = (Math.abs(in[0][i]) + c[0]) * in[1][i];
        a[0][i] = x;
        b[0][i] = x;
      }
    }
  },
  /** p, g to p + factor * T * T * g; factors eta, factor; saves p. */
  WEIGHTED_ASCEND(2, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float t = Math.abs(in[0][i]) + c[0];
        out[0][i] = fma(c[1] * t, t * in[1][i], in[0][i]);
      }
    }
  },
  /** w, x: the sums of w^2 and (x - w)^2. */
  PROXY_SUMS(2, 0, 2) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float w = in[0][i];
        float d = in[1][i] - w;
        a[0][i] = w;
        b[0][i] = w;
        a[1][i] = d;
        b[1][i] = d;
      }
    }
  },
  /** w, x to factor * (x - w). */
  PROXY_DIRECTION(2, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = c[0] * (in[1][i] - in[0][i]);
      }
    }
  },
  /** w, x to w + factor * (x - w); saves w. */
  PROXY_ASCEND(2, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float w = in[0][i];
        out[0][i] = fma(c[0], in[1][i] - w, w);
      }
    }
  },
  /** p, g: the inner products p.g, p.p, g.g. */
  PROJECTION_SUMS(2, 0, 3) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float p = in[0][i];
        float g = in[1][i];
        a[0][i] = p;
        b[0][i] = g;
        a[1][i] = p;
        b[1][i] = p;
        a[2][i] = g;
        b[2][i] = g;
      }
    }
  },
  /** p, g: the sum of (g - a * p)^2; factor -a. */
  RESIDUAL_SUM(2, 0, 1) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float o = fma(c[0], in[0][i], in[1][i]);
        a[0][i] = o;
        b[0][i] = o;
      }
    }
  },
  /** p, g to factor * (g - a * p); factors -a, factor. */
  RESIDUAL(2, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[0][i], in[1][i]) * c[1];
      }
    }
  },
  /** v to a * atan(v / b); factors a, b. */
  COMPANDER(1, 1, 0) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = c[0] * arctangent(in[0][i] / c[1]);
      }
    }
  },
  /**
   * v, dw to dw * (a / b) / (1 + t^2), t = v / b; the sums of dw * atan(t) and dw * t / (1 + t^2);
   * factors a / b, b.
   */
  COMPANDER_GRADIENT(2, 1, 2) {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float t = in[0][i] / c[1];
        float dw = in[1][i];
        float denominator = fma(t, t, 1f);
        out[0][i] = dw * (c[0] / denominator);
        a[0][i] = dw;
        a[1][i] = dw;
        b[0][i] = arctangent(t);
        b[1][i] = t / denominator;
      }
    }
  },
  /** The sum over rows of (1 - |w|)^2. */
  NORM_LOSS(RowPrimitive.NORM_LOSS, 1, 0),
  /** w to the norm loss's gradient; factor lambda. */
  NORM_LOSS_GRADIENT(RowPrimitive.NORM_LOSS_GRADIENT, 1, 1),
  /** w, g to g plus the norm loss's gradient; factor lambda. */
  NORM_LOSS_ADD(RowPrimitive.NORM_LOSS_ADD, 2, 1),
  /** The norm loss as a decay of w; factors lambda, lr, eps. */
  NORM_LOSS_DECAY(RowPrimitive.NORM_LOSS_DECAY, 1, 1),
  /** Logits to probabilities. */
  STABLEMAX(RowPrimitive.STABLEMAX, 1, 1),
  /** Logits to logarithms of probabilities. */
  LOG_STABLEMAX(RowPrimitive.LOG_STABLEMAX, 1, 1),
  /** The sum over rows of the cross-entropy at the label. */
  STABLEMAX_LOSS(RowPrimitive.STABLEMAX_LOSS, 1, 0),
  /** As STABLEMAX_LOSS, with its gradient times factor. */
  STABLEMAX_LOSS_GRADIENT(RowPrimitive.STABLEMAX_LOSS_GRADIENT, 1, 1),
  /** g * min(1, limit / largest channel). */
  CLIP_PIXEL_HARD(Kind.PIXELS, null, 1, 1, 0) {
    @Override
    float pixelFactor(float limit, float largest) {
      float quotient = limit / largest;
      return quotient > 1f ? 1f : quotient;
    }
  },
  /** g * limit / (largest channel + limit). */
  CLIP_PIXEL_SOFT(Kind.PIXELS, null, 1, 1, 0) {
    @Override
    float pixelFactor(float limit, float largest) {
      return limit / (largest + limit);
    }
  };

  /** The shape of the work. */
  enum Kind {
    /** Every element by itself; units are chunks. */
    ELEMENTS,
    /** A sum per row; units are rows. */
    ROWS,
    /** A maximum per pixel over channels; units are runs of pixels. */
    PIXELS
  }

  private final Kind kind;
  private final RowPrimitive rows;
  private final int inputs;
  private final int outputs;
  private final int sums;

  Primitive(int inputs, int outputs, int sums) {
    this(Kind.ELEMENTS, null, inputs, outputs, sums);
  }

  Primitive(RowPrimitive rows, int inputs, int outputs) {
    this(Kind.ROWS, rows, inputs, outputs, 1);
  }

  Primitive(Kind kind, RowPrimitive rows, int inputs, int outputs, int sums) {
    this.kind = kind;
    this.rows = rows;
    this.inputs = inputs;
    this.outputs = outputs;
    this.sums = sums;
  }

  /** The line of {@code primitives.def}. */
  public int number() {
    return Arrays.asList(values()).indexOf(this);
  }

  Kind kind() {
    return kind;
  }

  /** The arithmetic of a row; null for other kinds. */
  RowPrimitive rows() {
    return rows;
  }

  int inputs() {
    return inputs;
  }

  int outputs() {
    return outputs;
  }

  int sums() {
    return sums;
  }

  /** Whether the sum is the largest term instead. */
  boolean isMaximum() {
    return this == ABSOLUTE_MAX;
  }

  /** Whether the array behind the outputs receives the bytes of array 0 first. */
  boolean saves() {
    return this == COPY || this == ASCEND || this == WEIGHTED_ASCEND || this == PROXY_ASCEND;
  }

  /** One tile: the outputs, and the pairs whose products the sums add. */
  void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    throw new UnsupportedOperationException(name());
  }

  /** The factor of a pixel whose largest channel is given. */
  float pixelFactor(float limit, float largest) {
    throw new UnsupportedOperationException(name());
  }
}
