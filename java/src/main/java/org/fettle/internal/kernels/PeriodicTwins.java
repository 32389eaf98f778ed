package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Sine;
import org.fettle.internal.Trees;

/** BiPer's periodic weights: twins of {@code native/src/kernels/estimators/periodic.h}. */
final class PeriodicTwins {
  private static final int CHUNK = RowChunks.CHUNK;
  private static final int LANES = 128;

  private PeriodicTwins() {}

  private static int count(JavaCall call, long unit) {
    return (int) Math.min(CHUNK, call.integer(0) - unit * CHUNK);
  }

  private static void waves(
      JavaCall call, long unit, float[] w, float[] sine, float[] cosine, int n) {
    double frequency = (float) call.number(0);
    call.array(0).getFloats(unit * CHUNK, w, n);
    for (int i = 0; i < n; i++) {
      Sine.both(frequency * (double) w[i], sine, cosine, i);
    }
  }

  static void forward(JavaCall call, long first, long last) {
    float[] w = new float[CHUNK];
    float[] sine = new float[CHUNK];
    float[] cosine = new float[CHUNK];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      waves(call, unit, w, sine, cosine, n);
      for (int i = 0; i < n && call.integer(1) != 0; i++) {
        sine[i] = Arithmetic.sign(sine[i]);
      }
      call.array(1).putFloats(unit * CHUNK, sine, n);
    }
  }

  static void backward(JavaCall call, long first, long last) {
    float f = (float) call.number(0);
    float k = (float) call.number(1);
    float[] w = new float[CHUNK];
    float[] g = new float[CHUNK];
    float[] sine = new float[CHUNK];
    float[] cosine = new float[CHUNK];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      waves(call, unit, w, sine, cosine, n);
      if (call.array(1) != null) {
        call.array(1).getFloats(unit * CHUNK, g, n);
      }
      for (int i = 0; i < n; i++) {
        sine[i] = Arithmetic.fma(k * sine[i], cosine[i], g[i] * f * cosine[i]);
      }
      call.array(2).putFloats(unit * CHUNK, sine, n);
    }
  }

  static void penalty(JavaCall call, long first, long last) {
    float[] w = new float[CHUNK];
    float[] sine = new float[CHUNK];
    float[] cosine = new float[CHUNK];
    double[] result = new double[1];
    for (long unit = first; unit < last; unit++) {
      int n = count(call, unit);
      waves(call, unit, w, sine, cosine, n);
      double[] lanes = new double[LANES];
      for (int i = 0; i < n; i++) {
        lanes[i % LANES] += (double) sine[i] * sine[i];
      }
      result[0] = Trees.sum(lanes, LANES);
      call.array(15).putDoubles(unit, result, 1);
    }
  }
}
