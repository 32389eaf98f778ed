package org.fettle.internal.kernels;

import static org.fettle.Arithmetic.clamp;
import static org.fettle.Arithmetic.fma;
import static org.fettle.Arithmetic.movingAverage;
import static org.fettle.Arithmetic.sign;
import static org.fettle.Transcendental.expNegative;
import static org.fettle.Transcendental.logarithm;

import org.fettle.internal.Kernel;

/**
 * Estimators of quantization-aware training: twins of {@code native/src/kernels/estimators}, which
 * says what each computes and what its factors are.
 */
public final class EstimatorKernels {
  /** x to its nearest level. Factors: low, high, offset; row: step size. */
  public static final Kernel LEARNED_STEP_FORWARD =
      kernel("learned_step_forward", 1, 1, 0, 1, EstimatorKernels::learnedStepForward);

  /** x, g to the gradient of x; sums for the step size and the offset. */
  public static final Kernel LEARNED_STEP_BACKWARD =
      kernel("learned_step_backward", 2, 1, 2, 1, EstimatorKernels::learnedStepBackward);

  /** x to its nearest level in [0, alpha]. Factors: levels; row: alpha. */
  public static final Kernel CLIPPED_ACTIVATION_FORWARD =
      kernel("clipped_activation_forward", 1, 1, 0, 1, EstimatorKernels::clippedForward);

  /** x, g to the gradient of x; a sum for alpha. */
  public static final Kernel CLIPPED_ACTIVATION_BACKWARD =
      kernel("clipped_activation_backward", 2, 1, 1, 1, EstimatorKernels::clippedBackward);

  /** w to its nearest half-integer level. Factors: k; row: scale. */
  public static final Kernel STATISTICS_FORWARD =
      kernel(
          "statistics_forward",
          1,
          1,
          0,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = c[8] * (nearest(position(c, in[0][i])) + 0.5f) / c[0];
            }
          });

  /** w to its code. */
  public static final Kernel STATISTICS_CODE =
      kernel(
          "statistics_code",
          1,
          1,
          0,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = nearest(position(c, in[0][i]));
            }
          });

  /** The smallest and the largest value of every chunk. */
  public static final Kernel CODE_RANGE = new Kernel("code_range", LayerTwins::codeRange);

  /** w to 1 where confidence-guided annealing freezes it. Factors: k, low, high, range. */
  public static final Kernel CONFIDENCE_FREEZE =
      kernel(
          "confidence_freeze",
          1,
          1,
          0,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              float t = position(c, in[0][i]);
              float boundary = nearest(t - 0.5f);
              boolean free =
                  boundary >= c[1] && boundary < c[2] && Math.abs(t - (boundary + 0.5f)) <= c[3];
              out[0][i] = free ? 0f : 1f;
            }
          });

  /** frozen, g to g where nothing is frozen. */
  public static final Kernel ZERO_WHERE =
      kernel(
          "zero_where",
          2,
          1,
          0,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = in[0][i] == 0f ? in[1][i] : 0f;
            }
          });

  /** frozen, kept, w to w where nothing is frozen and to kept elsewhere. */
  public static final Kernel KEEP_WHERE =
      kernel(
          "keep_where",
          3,
          1,
          0,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = in[0][i] == 0f ? in[2][i] : in[1][i];
            }
          });

  /** The sum of magnitudes. */
  public static final Kernel MAGNITUDE_SUM =
      kernel(
          "magnitude_sum",
          1,
          0,
          1,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              a[0][i] = Math.abs(in[0][i]);
              b[0][i] = 1f;
            }
          });

  /** w, g: the sum of sign(w) g. */
  public static final Kernel SIGNED_SUM =
      kernel(
          "signed_sum",
          2,
          0,
          1,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              a[0][i] = sign(in[0][i]);
              b[0][i] = in[1][i];
            }
          });

  /** w to s sign(w); row: s. */
  public static final Kernel SCALED_SIGN =
      kernel(
          "scaled_sign",
          1,
          1,
          0,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = c[8] * sign(in[0][i]);
            }
          });

  /** w to 1 or -1 by chance. */
  public static final Kernel STOCHASTIC_SIGN =
      new Kernel("stochastic_sign", LayerTwins::stochasticSign);

  /** w, g to g where |w| is at most the factor. */
  public static final Kernel STRAIGHT_THROUGH =
      kernel(
          "straight_through",
          2,
          1,
          0,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = Math.abs(in[0][i]) <= c[0] ? in[1][i] : 0f;
            }
          });

  /** w, g to XNOR-Net's gradient; row: alpha. */
  public static final Kernel XNOR_BACKWARD =
      kernel(
          "xnor_backward",
          2,
          1,
          0,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = in[1][i] * (Math.abs(in[0][i]) < 1f ? c[8] + c[0] : c[0]) * c[1];
            }
          });

  /** Subtracts the mean over the channels and limits to [-1, 1]. */
  public static final Kernel CENTER_CHANNELS =
      new Kernel("center_channels", LayerTwins::centerChannels);

  /** w limited to [-1, 1]. */
  public static final Kernel CLAMP_UNIT =
      kernel(
          "clamp_unit",
          1,
          1,
          0,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = clamp(in[0][i], 1f);
            }
          });

  /** w to sign(w) |w|^factor. */
  public static final Kernel POWER_SIGN_FORWARD =
      kernel("power_sign_forward", 1, 1, 0, 0, EstimatorKernels::powerForward);

  /** w, g to the gradient of that estimate. */
  public static final Kernel POWER_SIGN_BACKWARD =
      kernel("power_sign_backward", 2, 1, 0, 0, EstimatorKernels::powerBackward);

  /** w to sin(f w), or its sign. */
  public static final Kernel PERIODIC_FORWARD =
      new Kernel("periodic_forward", PeriodicTwins::forward);

  /** w, g to g f cos(f w) and the penalty's gradient. */
  public static final Kernel PERIODIC_BACKWARD =
      new Kernel("periodic_backward", PeriodicTwins::backward);

  /** The sum of sin(f w)^2. */
  public static final Kernel PERIODIC_PENALTY =
      new Kernel("periodic_penalty", PeriodicTwins::penalty);

  /** The sums of x and x^2. */
  public static final Kernel MOMENTS =
      kernel(
          "moments",
          1,
          0,
          2,
          0,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              a[0][i] = in[0][i];
              b[0][i] = 1f;
              a[1][i] = in[0][i];
              b[1][i] = in[0][i];
            }
          });

  /** x, g to g max(0, 2 - 2 |r x|), and the sum of that times x; row: r. */
  public static final Kernel SOFT_SIGN_BACKWARD =
      kernel(
          "soft_sign_backward",
          2,
          1,
          1,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              float slope = fma(-2f, Math.abs(c[8] * in[0][i]), 2f);
              out[0][i] = in[1][i] * (slope < 0f ? 0f : slope);
              a[0][i] = out[0][i];
              b[0][i] = in[0][i];
            }
          });

  /** h, x to r h + k (x - mean); row: r, k, mean. */
  public static final Kernel NORMALIZE_BACKWARD =
      kernel(
          "normalize_backward",
          2,
          1,
          0,
          3,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = fma(c[9], in[1][i] - c[10], c[8] * in[0][i]);
            }
          });

  /** x to s x; row: s. */
  public static final Kernel ROW_SCALE =
      kernel(
          "row_scale",
          1,
          1,
          0,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = c[8] * in[0][i];
            }
          });

  /** x, g to s g, and the sum of x g; row: s. */
  public static final Kernel ROW_SCALE_BACKWARD =
      kernel(
          "row_scale_backward",
          2,
          1,
          1,
          1,
          (c, n, in, out, a, b) -> {
            for (int i = 0; i < n; i++) {
              out[0][i] = c[8] * in[1][i];
              a[0][i] = in[0][i];
              b[0][i] = in[1][i];
            }
          });

  /** x, w to y: stride 1, no padding. */
  public static final Kernel CONVOLUTION = new Kernel("convolution", LayerTwins::convolution);

  /** g, w to the gradient of x. */
  public static final Kernel CONVOLUTION_INPUT_GRADIENT =
      new Kernel("convolution_input_gradient", LayerTwins::inputGradient);

  /** g, x to the gradient of w. */
  public static final Kernel CONVOLUTION_WEIGHT_GRADIENT =
      new Kernel("convolution_weight_gradient", LayerTwins::weightGradient);

  /** One product of matrices per head. */
  public static final Kernel HEAD_PRODUCT = new Kernel("head_product", LayerTwins::headProduct);

  /** A step of tracking oscillations and freezing what oscillates. */
  public static final Kernel OSCILLATION =
      kernel("oscillation", 7, 6, 0, 0, EstimatorKernels::oscillation);

  /** w to the gradient of the distance from its level, and the sum of its square. */
  public static final Kernel DAMPENING =
      kernel("dampening", 1, 1, 1, 0, EstimatorKernels::dampening);

  /** Disorder and conflict of the gradients of scales over a window. */
  public static final Kernel GRADIENT_CONFLICT =
      new Kernel("gradient_conflict", LayerTwins::gradientConflict);

  private EstimatorKernels() {}

  private static Kernel kernel(
      String id, int inputs, int outputs, int sums, int rowValues, RowChunks.Operation operation) {
    return new Kernel(id, new RowChunks(inputs, outputs, sums, rowValues, operation));
  }

  /** To the nearest integer, ties to even, for |x| up to 2^22; NaN stays. */
  static float nearest(float x) {
    return (x + 12582912f) - 12582912f;
  }

  private static float between(float x, float low, float high) {
    return x > high ? high : (x < low ? low : x);
  }

  private static void learnedStepForward(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    float s = c[8] < 1e-5f ? 1e-5f : c[8];
    for (int i = 0; i < n; i++) {
      float v = (in[0][i] - c[2]) / s;
      out[0][i] = fma(s, nearest(between(v, c[0], c[1])), c[2]);
    }
  }

  private static void learnedStepBackward(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    float s = c[8] < 1e-5f ? 1e-5f : c[8];
    for (int i = 0; i < n; i++) {
      float v = (in[0][i] - c[2]) / s;
      float g = in[1][i];
      boolean below = v < c[0];
      boolean above = v > c[1];
      out[0][i] = below || above ? 0f : g;
      a[0][i] = g;
      b[0][i] = below ? c[0] : (above ? c[1] : nearest(between(v, c[0], c[1])) - v);
      a[1][i] = below || above ? g : 0f;
      b[1][i] = 1f;
    }
  }

  private static void clippedForward(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float clipped = between(in[0][i], 0f, c[8]);
      out[0][i] = nearest(clipped * c[0] / c[8]) * c[8] / c[0];
    }
  }

  private static void clippedBackward(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float x = in[0][i];
      out[0][i] = x > 0f && x < c[8] ? in[1][i] : 0f;
      a[0][i] = x >= c[8] ? in[1][i] : 0f;
      b[0][i] = 1f;
    }
  }

  private static float position(float[] c, float w) {
    float s = c[8] == 0f ? 1f : c[8];
    float kept = c[8] == 0f ? 0f : 1f;
    float u = between(w / s, -1f, 1f - 1e-6f);
    return fma(kept * u, c[0], -0.5f);
  }

  private static void powerForward(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float magnitude = Math.abs(in[0][i]);
      float t = c[0] * logarithm(magnitude);
      float e = expNegative(-Math.abs(t));
      float power = magnitude > 1f ? 1f / e : e;
      float finite = magnitude > Float.MAX_VALUE ? magnitude : (magnitude == 0f ? 0f : power);
      out[0][i] = sign(in[0][i]) * (magnitude == 1f ? 1f : finite);
    }
  }

  private static void powerBackward(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float magnitude = Math.abs(in[0][i]);
      float power = c[5] * expNegative(c[1] * logarithm(magnitude / c[4]));
      float factor = magnitude <= c[4] ? c[2] : (magnitude <= c[3] ? power : 0f);
      float direct = c[6] * in[1][i] * factor;
      out[0][i] = c[7] == 0f ? direct : fma(c[7], sign(in[0][i]), direct);
    }
  }

  private static void oscillation(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    boolean freezes = c[4] > 0f;
    boolean averages = freezes && c[5] != 0f;
    for (int i = 0; i < n; i++) {
      float free = nearest(between(in[0][i], c[0], c[1]));
      float x = in[5][i] == 0f ? free : in[6][i];
      out[0][i] = x;
      out[4][i] = in[5][i];
      out[5][i] = in[6][i];
      if (c[6] != 0f) {
        out[1][i] = 0f;
        out[2][i] = 0f;
        out[3][i] = averages ? x : 0f;
        continue;
      }
      float d = sign(in[1][i] - x);
      float frequency = fma(c[3], in[3][i], d * in[2][i] == -1f ? c[2] : 0f);
      out[1][i] = d == 0f ? in[2][i] : d;
      out[2][i] = frequency;
      out[3][i] = averages ? movingAverage(in[4][i], x, c[3], c[2]) : in[4][i];
      if (freezes && frequency > c[4]) {
        out[4][i] = 1f;
        out[5][i] = averages ? nearest(in[4][i]) : x;
      }
    }
  }

  private static void dampening(
      float[] c, int n, float[][] in, float[][] out, float[][] a, float[][] b) {
    for (int i = 0; i < n; i++) {
      float w = in[0][i];
      float q = c[2] * nearest(between(w / c[2], c[0], c[1]));
      float distance = q - between(w, c[4], c[5]);
      out[0][i] = w < c[4] || w > c[5] ? 0f : c[3] * (w - q);
      a[0][i] = distance;
      b[0][i] = distance;
    }
  }
}
