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
  CLIP_PIXEL_HARD(Kind.PIXELS, null, null, 1, 1, 0) {
    @Override
    float pixelFactor(float limit, float largest) {
      float quotient = limit / largest;
      return quotient > 1f ? 1f : quotient;
    }
  },
  /** g * limit / (largest channel + limit). */
  CLIP_PIXEL_SOFT(Kind.PIXELS, null, null, 1, 1, 0) {
    @Override
    float pixelFactor(float limit, float largest) {
      return limit / (largest + limit);
    }
  },
  /** x, y: the inner product. */
  DOT(StepPrimitive.DOT, 2, 0, 1),
  /** p, q, g: the inner product of p - q and g, and both squares. */
  DIFFERENCE_SUMS(StepPrimitive.DIFFERENCE_SUMS, 3, 0, 3),
  /** x, y to a * x + b * y; factors a, b. */
  LINEAR(StepPrimitive.LINEAR, 2, 1, 0),
  /** p, x to p + a * x; factor a. */
  ADD_SCALED(StepPrimitive.ADD_SCALED, 2, 1, 0),
  /** p, x, y, z to p + a * x + b * y + c * z; factors a, b, c. */
  ADD_THREE(StepPrimitive.ADD_THREE, 4, 1, 0),
  /** p, g to p - a * sign(g); factor -a. */
  SIGN_STEP(StepPrimitive.SIGN_STEP, 2, 1, 0),
  /** p, z to p + a * (z - p); factor a. */
  MOVE_TOWARDS(StepPrimitive.MOVE_TOWARDS, 2, 1, 0),
  /** d, g: the square of beta * d + g; factor beta. */
  POLYAK_SUM(StepPrimitive.POLYAK_SUM, 2, 0, 1),
  /** p, d, g to p * decay - tau * d, d = beta * d + g; factors beta, -tau, decay. */
  POLYAK_STEP(StepPrimitive.POLYAK_STEP, 3, 2, 0),
  /** p, q, g to p - tau * g + beta * (p - q), p; factors beta, -tau. */
  HEAVY_BALL(StepPrimitive.HEAVY_BALL, 3, 2, 0),
  /**
   * g, p, p0, s to beta3 * s + a * g; sums of g * (p0 - p) and |s|; factors beta3, a, coupled
   * decay.
   */
  PRODIGY_SUMS(StepPrimitive.PRODIGY_SUMS, 4, 1, 2),
  /**
   * g, p, m, v to beta1 * m + a * g, beta2 * v + b * g * g; factors beta1, a, beta2, b, coupled
   * decay.
   */
  PRODIGY_MOMENTS(StepPrimitive.PRODIGY_MOMENTS, 4, 2, 0),
  /** p, m, v to p * decay - a * m / (sqrt(v) + eps); factors -a, eps, decay. */
  ADAM_STEP(StepPrimitive.ADAM_STEP, 3, 1, 0),
  /**
   * m, v, g to m, v, a * m / (sqrt(v) + eps); factors beta1, 1 - beta1, beta2, 1 - beta2, a, eps.
   */
  ADAM_DIRECTION(StepPrimitive.ADAM_DIRECTION, 3, 3, 0),
  /**
   * p, g, lifted g, lifted u to p * decay + u - b * f(g - lifted g), f the sign (kind 1), identity
   * (2) or nothing (0); factors decay, -b, kind.
   */
  SUBSPACE_STEP(StepPrimitive.SUBSPACE_STEP, 4, 1, 0),
  /**
   * m, D, g, p to ema(m, g, beta), D + pi * (change of m), p - lr * D; factors beta, 1 - beta, pi,
   * -lr.
   */
  MULTI_MOMENTUM(StepPrimitive.MULTI_MOMENTUM, 4, 3, 0),
  /**
   * p, g, z: the square of h = a * g + b * z, times |p| where it is adaptive; factors a, b,
   * adaptive.
   */
  SAMO_SUM(StepPrimitive.SAMO_SUM, 3, 0, 1),
  /** p, g, z to s * h, or s * p * p * h where it is adaptive; factors a, b, adaptive, s. */
  SAMO_PERTURBATION(StepPrimitive.SAMO_PERTURBATION, 3, 1, 0),
  /**
   * B, g to ema(B, g, mu), and that or its look ahead; the square of the latter; factors mu, 1 -
   * mu, nesterov.
   */
  MUON_MOMENTUM(StepPrimitive.MUON_MOMENTUM, 2, 2, 1),
  /** x to the row's mean magnitude, everywhere; factor the row's length. */
  ABSOLUTE_MEAN(RowPrimitive.ABSOLUTE_MEAN, 1, 1),
  /** x, mask to x where the mask is not 0, else 0. */
  WHERE_NONZERO(StepPrimitive.WHERE_NONZERO, 2, 1, 0),
  /** B, g, p to mu * B + g, p - lr * (g + mu * B); factors mu, -lr. */
  NESTEROV(StepPrimitive.NESTEROV, 3, 2, 0),
  /** x, g to x + a * sign(g), from low to high; factors a, low, high. */
  BOUNDED_SIGN_STEP(StepPrimitive.BOUNDED_SIGN_STEP, 2, 1, 0),
  /**
   * g, p, m, v to beta1 * m + a * g, beta2 * v + b * g * g, p * decay - s * m / (sqrt(v) + eps);
   * factors beta1, a, beta2, b, coupled decay, -s, eps, decay.
   */
  ADAM_UPDATE(StepPrimitive.ADAM_UPDATE, 4, 3, 0);

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
  private final StepPrimitive step;
  private final int inputs;
  private final int outputs;
  private final int sums;

  Primitive(int inputs, int outputs, int sums) {
    this(Kind.ELEMENTS, null, null, inputs, outputs, sums);
  }

  Primitive(StepPrimitive step, int inputs, int outputs, int sums) {
    this(Kind.ELEMENTS, null, step, inputs, outputs, sums);
  }

  Primitive(RowPrimitive rows, int inputs, int outputs) {
    this(Kind.ROWS, rows, null, inputs, outputs, 1);
  }

  Primitive(Kind kind, RowPrimitive rows, StepPrimitive step, int inputs, int outputs, int sums) {
    this.kind = kind;
    this.rows = rows;
    this.step = step;
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
    if (step == null) {
      throw new IllegalStateException(name() + " has no tiles");
    }
    step.apply(c, n, in, out, a, b);
  }

  /** The factor of a pixel whose largest channel is given. */
  float pixelFactor(float limit, float largest) {
    throw new IllegalStateException(name() + " has no pixels");
  }
}
