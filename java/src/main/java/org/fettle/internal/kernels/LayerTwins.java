package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Philox;
import org.fettle.internal.Windows;

/**
 * Ranges, centring, small convolutions and products: twins of {@code
 * native/src/kernels/estimators/layers.h}.
 */
final class LayerTwins {
  private static final int CHUNK = RowChunks.CHUNK;

  private LayerTwins() {}

  /** Reads a run of any length. */
  private static float[] read(Windows array, long first, long count) {
    float[] values = new float[Math.toIntExact(count)];
    float[] piece = new float[(int) Math.min(CHUNK, count)];
    for (int at = 0; at < values.length; at += CHUNK) {
      int n = Math.min(CHUNK, values.length - at);
      array.getFloats(first + at, piece, n);
      System.arraycopy(piece, 0, values, at, n);
    }
    return values;
  }

  private static void write(Windows array, long first, float[] values) {
    float[] piece = new float[Math.min(CHUNK, values.length)];
    for (int at = 0; at < values.length; at += CHUNK) {
      int n = Math.min(CHUNK, values.length - at);
      System.arraycopy(values, at, piece, 0, n);
      array.putFloats(first + at, piece, n);
    }
  }

  static void codeRange(JavaCall call, long first, long last) {
    float[] x = new float[CHUNK];
    float[] range = new float[2];
    for (long unit = first; unit < last; unit++) {
      int n = (int) Math.min(CHUNK, call.integer(0) - unit * CHUNK);
      call.array(0).getFloats(unit * CHUNK, x, n);
      range[0] = x[0];
      range[1] = x[0];
      for (int i = 0; i < n; i++) {
        range[0] = x[i] < range[0] ? x[i] : range[0];
        range[1] = x[i] > range[1] ? x[i] : range[1];
      }
      call.array(1).putFloats(2 * unit, range, 2);
    }
  }

  static void stochasticSign(JavaCall call, long first, long last) {
    float[] w = new float[CHUNK];
    int[] words = new int[4];
    for (long unit = first; unit < last; unit++) {
      long start = unit * CHUNK;
      int n = (int) Math.min(CHUNK, call.integer(0) - start);
      call.array(0).getFloats(start, w, n);
      for (int i = 0; i < n; i++) {
        if (i % 4 == 0) {
          int step = (int) call.integer(2);
          Philox.words(call.integer(1), (start + i) / 4, step, (int) call.integer(3), words, 0);
        }
        float probability = Arithmetic.fma(w[i], 0.5f, 0.5f);
        float limited = probability > 0f ? probability < 1f ? probability : 1f : 0f;
        boolean up = limited * 0x1p24f >= 0x1p24f - (words[i % 4] >>> 8);
        w[i] = Float.isNaN(w[i]) ? w[i] : up ? 1f : -1f;
      }
      call.array(1).putFloats(start, w, n);
    }
  }

  static void centerChannels(JavaCall call, long first, long last) {
    int channels = (int) call.integer(0);
    int places = (int) call.integer(1);
    long size = (long) channels * places;
    for (long filter = first; filter < last; filter++) {
      float[] w = read(call.array(0), filter * size, size);
      for (int p = 0; p < places; p++) {
        double sum = 0.0;
        for (int c = 0; c < channels; c++) {
          sum += w[c * places + p];
        }
        float mean = (float) (sum / channels);
        for (int c = 0; c < channels; c++) {
          w[c * places + p] = Arithmetic.clamp(w[c * places + p] - mean, 1f);
        }
      }
      write(call.array(0), filter * size, w);
    }
  }

  private record Size(
      int channels, int height, int width, int filters, int kernelHeight, int kernelWidth) {
    static Size of(JavaCall call) {
      return new Size(
          (int) call.integer(0),
          (int) call.integer(1),
          (int) call.integer(2),
          (int) call.integer(3),
          (int) call.integer(4),
          (int) call.integer(5));
    }

    int outHeight() {
      return height - kernelHeight + 1;
    }

    int outWidth() {
      return width - kernelWidth + 1;
    }

    int plane() {
      return height * width;
    }

    int outPlane() {
      return outHeight() * outWidth();
    }

    int window() {
      return kernelHeight * kernelWidth;
    }
  }

  static void convolution(JavaCall call, long first, long last) {
    Size s = Size.of(call);
    for (long unit = first; unit < last; unit++) {
      long sample = unit / s.filters;
      long filter = unit - sample * s.filters;
      float[] x =
          read(call.array(0), sample * s.channels * s.plane(), (long) s.channels * s.plane());
      float[] w =
          read(call.array(1), filter * s.channels * s.window(), (long) s.channels * s.window());
      float[] y = new float[s.outPlane()];
      for (int i = 0; i < s.outHeight(); i++) {
        for (int j = 0; j < s.outWidth(); j++) {
          double sum = 0.0;
          for (int c = 0; c < s.channels; c++) {
            for (int a = 0; a < s.kernelHeight; a++) {
              for (int b = 0; b < s.kernelWidth; b++) {
                sum +=
                    (double) x[c * s.plane() + (i + a) * s.width + j + b]
                        * w[c * s.window() + a * s.kernelWidth + b];
              }
            }
          }
          y[i * s.outWidth() + j] = (float) sum;
        }
      }
      write(call.array(2), unit * s.outPlane(), y);
    }
  }

  static void inputGradient(JavaCall call, long first, long last) {
    Size s = Size.of(call);
    float[] w = read(call.array(1), 0, (long) s.filters * s.channels * s.window());
    for (long unit = first; unit < last; unit++) {
      long sample = unit / s.channels;
      int channel = (int) (unit - sample * s.channels);
      float[] g =
          read(call.array(0), sample * s.filters * s.outPlane(), (long) s.filters * s.outPlane());
      float[] dx = new float[s.plane()];
      for (int i = 0; i < s.height; i++) {
        for (int j = 0; j < s.width; j++) {
          double sum = 0.0;
          for (int o = 0; o < s.filters; o++) {
            for (int a = 0; a < s.kernelHeight; a++) {
              for (int b = 0; b < s.kernelWidth; b++) {
                int y = i - a;
                int z = j - b;
                if (y >= 0 && z >= 0 && y < s.outHeight() && z < s.outWidth()) {
                  sum +=
                      (double) g[o * s.outPlane() + y * s.outWidth() + z]
                          * w[(o * s.channels + channel) * s.window() + a * s.kernelWidth + b];
                }
              }
            }
          }
          dx[i * s.width + j] = (float) sum;
        }
      }
      write(call.array(2), unit * s.plane(), dx);
    }
  }

  static void weightGradient(JavaCall call, long first, long last) {
    Size s = Size.of(call);
    int samples = (int) call.integer(6);
    float[] gradients = read(call.array(0), 0, (long) samples * s.filters * s.outPlane());
    float[] inputs = read(call.array(1), 0, (long) samples * s.channels * s.plane());
    for (long unit = first; unit < last; unit++) {
      int filter = (int) (unit / s.channels);
      int channel = (int) (unit - (long) filter * s.channels);
      float[] dw = new float[s.window()];
      for (int a = 0; a < s.kernelHeight; a++) {
        for (int b = 0; b < s.kernelWidth; b++) {
          double sum = 0.0;
          for (int n = 0; n < samples; n++) {
            int g = (n * s.filters + filter) * s.outPlane();
            int x = (n * s.channels + channel) * s.plane();
            for (int i = 0; i < s.outHeight(); i++) {
              for (int j = 0; j < s.outWidth(); j++) {
                sum +=
                    (double) gradients[g + i * s.outWidth() + j]
                        * inputs[x + (i + a) * s.width + j + b];
              }
            }
          }
          dw[a * s.kernelWidth + b] = (float) sum;
        }
      }
      write(call.array(2), unit * s.window(), dw);
    }
  }

  static void headProduct(JavaCall call, long first, long last) {
    long rows = call.integer(0);
    int inner = (int) call.integer(1);
    int columns = (int) call.integer(2);
    float[] left = read(call.array(0), 0, call.elements(0));
    float[] right = read(call.array(1), 0, call.elements(1));
    for (long unit = first; unit < last; unit++) {
      long head = unit / rows;
      long row = unit - head * rows;
      double[] sum = new double[columns];
      for (int k = 0; k < inner; k++) {
        double factor =
            left[(int) (head * call.integer(3) + row * call.integer(4) + k * call.integer(5))];
        int line = (int) (head * call.integer(6) + k * call.integer(7));
        for (int j = 0; j < columns; j++) {
          sum[j] += factor * right[line + (int) (j * call.integer(8))];
        }
      }
      float[] result = new float[columns];
      for (int j = 0; j < columns; j++) {
        result[j] = (float) sum[j];
      }
      write(call.array(2), unit * columns, result);
    }
  }

  static void gradientConflict(JavaCall call, long first, long last) {
    long window = call.integer(0);
    long scales = call.integer(1);
    float[] one = new float[1];
    byte[] freeze = new byte[1];
    for (long unit = first; unit < last; unit++) {
      double flips = 0.0;
      double conflicts = 0.0;
      float before = 0f;
      for (long t = 0; t < window; t++) {
        call.array(0).getFloats(t * scales + unit, one, 1);
        float now = Arithmetic.sign(one[0]);
        call.array(1).getFloats(t * scales + unit, one, 1);
        float smooth = Arithmetic.sign(one[0]);
        before = t == 0 ? now : before;
        flips += (double) Math.abs(now - before) / 2.0;
        conflicts += (double) Math.abs(now - smooth) / 2.0;
        before = now;
      }
      double disorder = window > 1 ? flips / (double) (window - 1) : 0.0;
      one[0] = (float) disorder;
      call.array(2).putFloats(unit, one, 1);
      one[0] = (float) (conflicts / (double) window);
      call.array(3).putFloats(unit, one, 1);
      freeze[0] = (byte) (disorder < call.number(0) ? 1 : 0);
      call.array(4).putBytes(unit, freeze, 1);
    }
  }
}
