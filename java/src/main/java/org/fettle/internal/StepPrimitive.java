package org.fettle.internal;

import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.root;
import static org.fettle.Arithmetic.sign;

/**
 * The arithmetic of the elementwise passes of steps: twin of {@code native/src/primitives/steps.h}.
 */
enum StepPrimitive {
  /** x, y: the inner product. */
  DOT {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        a[0][i] = in[0][i];
        b[0][i] = in[1][i];
      }
    }
  },
  /** p, q, g: the inner product of p - q and g, and both squares. */
  DIFFERENCE_SUMS {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float d = in[0][i] - in[1][i];
        a[0][i] = d;
        b[0][i] = in[2][i];
        a[1][i] = d;
        b[1][i] = d;
        a[2][i] = in[2][i];
        b[2][i] = in[2][i];
      }
    }
  },
  /** x, y to a * x + b * y; factors a, b. */
  LINEAR {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[0][i], c[1] * in[1][i]);
      }
    }
  },
  /** p, x to p + a * x; factor a. */
  ADD_SCALED {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[1][i], in[0][i]);
      }
    }
  },
  /** p, x, y, z to p + a * x + b * y + c * z; factors a, b, c. */
  ADD_THREE {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[1][i], fma(c[1], in[2][i], fma(c[2], in[3][i], in[0][i])));
      }
    }
  },
  /** p, g to p - a * sign(g); factor -a. */
  SIGN_STEP {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], sign(in[1][i]), in[0][i]);
      }
    }
  },
  /** x, g to x + a * sign(g), from low to high; factors a, low, high. */
  BOUNDED_SIGN_STEP {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float moved = fma(c[0], sign(in[1][i]), in[0][i]);
        out[0][i] = moved < c[1] ? c[1] : moved > c[2] ? c[2] : moved;
      }
    }
  },
  /** p, z to p + a * (z - p); factor a. */
  MOVE_TOWARDS {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[1][i] - in[0][i], in[0][i]);
      }
    }
  },
  /** d, g: the square of beta * d + g; factor beta. */
  POLYAK_SUM {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float d = fma(c[0], in[0][i], in[1][i]);
        a[0][i] = d;
        b[0][i] = d;
      }
    }
  },
  /** p, d, g to p * decay - tau * d, d = beta * d + g; factors beta, -tau, decay. */
  POLYAK_STEP {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float d = fma(c[0], in[1][i], in[2][i]);
        out[0][i] = fma(c[1], d, in[0][i] * c[2]);
        out[1][i] = d;
      }
    }
  },
  /** p, q, g to p - tau * g + beta * (p - q), p; factors beta, -tau. */
  HEAVY_BALL {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float p = in[0][i];
        out[0][i] = fma(c[1], in[2][i], fma(c[0], p - in[1][i], p));
        out[1][i] = p;
      }
    }
  },
  /**
   * g, p, p0, s to beta3 * s + a * g; sums of g * (p0 - p) and |s|; factors beta3, a, coupled
   * decay.
   */
  PRODIGY_SUMS {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float p = in[1][i];
        float g = c[2] == 0f ? in[0][i] : fma(c[2], p, in[0][i]);
        float s = fma(c[0], in[3][i], c[1] * g);
        out[0][i] = s;
        a[0][i] = g;
        b[0][i] = in[2][i] - p;
        a[1][i] = Math.abs(s);
        b[1][i] = 1f;
      }
    }
  },
  /**
   * g, p, m, v to beta1 * m + a * g, beta2 * v + b * g * g; factors beta1, a, beta2, b, coupled
   * decay.
   */
  PRODIGY_MOMENTS {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float g = c[4] == 0f ? in[0][i] : fma(c[4], in[1][i], in[0][i]);
        out[0][i] = movingAverage(in[2][i], g, c[0], c[1]);
        out[1][i] = movingAverage(in[3][i], g * g, c[2], c[3]);
      }
    }
  },
  /** p, m, v to p * decay - a * m / (sqrt(v) + eps); factors -a, eps, decay. */
  ADAM_STEP {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = fma(c[0], in[1][i] / (root(in[2][i]) + c[1]), in[0][i] * c[2]);
      }
    }
  },
  /**
   * g, p, m, v to beta1 * m + a * g, beta2 * v + b * g * g, p * decay - s * m / (sqrt(v) + eps);
   * factors beta1, a, beta2, b, coupled decay, -s, eps, decay.
   */
  ADAM_UPDATE {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float p = in[1][i];
        float g = c[4] == 0f ? in[0][i] : fma(c[4], p, in[0][i]);
        float m = movingAverage(in[2][i], g, c[0], c[1]);
        float v = movingAverage(in[3][i], g * g, c[2], c[3]);
        out[0][i] = m;
        out[1][i] = v;
        out[2][i] = fma(c[5], m / (root(v) + c[6]), p * c[7]);
      }
    }
  },
  /**
   * m, v, g to m, v, a * m / (sqrt(v) + eps); factors beta1, 1 - beta1, beta2, 1 - beta2, a, eps.
   */
  ADAM_DIRECTION {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float g = in[2][i];
        float m = movingAverage(in[0][i], g, c[0], c[1]);
        float v = movingAverage(in[1][i], g * g, c[2], c[3]);
        out[0][i] = m;
        out[1][i] = v;
        out[2][i] = c[4] * (m / (root(v) + c[5]));
      }
    }
  },
  /**
   * p, g, lifted g, lifted u to p * decay + u - b * f(g - lifted g), f the sign (kind 1), identity
   * (2) or nothing (0); factors decay, -b, kind.
   */
  SUBSPACE_STEP {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float e = in[1][i] - in[2][i];
        float f = c[2] == 1f ? sign(e) : (c[2] == 2f ? e : 0f);
        out[0][i] = fma(c[1], f, fma(in[0][i], c[0], in[3][i]));
      }
    }
  },
  /**
   * m, D, g, p to ema(m, g, beta), D + pi * (change of m), p - lr * D; factors beta, 1 - beta, pi,
   * -lr.
   */
  MULTI_MOMENTUM {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float m = movingAverage(in[0][i], in[2][i], c[0], c[1]);
        float d = fma(c[2], m - in[0][i], in[1][i]);
        out[0][i] = m;
        out[1][i] = d;
        out[2][i] = fma(c[3], d, in[3][i]);
      }
    }
  },
  /**
   * p, g, z: the square of h = a * g + b * z, times |p| where it is adaptive; factors a, b,
   * adaptive.
   */
  SAMO_SUM {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float h = c[1] == 0f ? c[0] * in[1][i] : fma(c[0], in[1][i], c[1] * in[2][i]);
        float x = c[2] > 0f ? Math.abs(in[0][i]) * h : h;
        a[0][i] = x;
        b[0][i] = x;
      }
    }
  },
  /** p, g, z to s * h, or s * p * p * h where it is adaptive; factors a, b, adaptive, s. */
  SAMO_PERTURBATION {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float p = in[0][i];
        float h = c[3] * (c[1] == 0f ? c[0] * in[1][i] : fma(c[0], in[1][i], c[1] * in[2][i]));
        out[0][i] = c[2] > 0f ? p * p * h : h;
      }
    }
  },
  /**
   * B, g to ema(B, g, mu), and that or its look ahead; the square of the latter; factors mu, 1 -
   * mu, nesterov.
   */
  MUON_MOMENTUM {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float g = in[1][i];
        float kept = movingAverage(in[0][i], g, c[0], c[1]);
        float u = c[2] > 0f ? movingAverage(kept, g, c[0], c[1]) : kept;
        out[0][i] = kept;
        out[1][i] = u;
        a[0][i] = u;
        b[0][i] = u;
      }
    }
  },
  /** x, mask to x where the mask is not 0, else 0. */
  WHERE_NONZERO {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        out[0][i] = in[1][i] == 0f ? 0f : in[0][i];
      }
    }
  },
  /** B, g, p to mu * B + g, p - lr * (g + mu * B); factors mu, -lr. */
  NESTEROV {
    @Override
    void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
      for (int i = 0; i < n; i++) {
        float g = in[1][i];
        float kept = fma(c[0], in[0][i], g);
        out[0][i] = kept;
        out[1][i] = fma(c[1], fma(c[0], kept, g), in[2][i]);
      }
    }
  };

  /** One tile: the outputs, and the pairs whose products the sums add. */
  abstract void apply(float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b);
}
