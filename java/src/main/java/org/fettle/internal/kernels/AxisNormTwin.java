package org.fettle.internal.kernels;

import static org.fettle.Arithmetic.fma;

import org.fettle.internal.JavaCall;
import org.fettle.internal.Windows;

/** One participant's work on weight normalisation: twin of {@code axis_norm.h}. */
final class AxisNormTwin {
  private static final int PIECE = 4096;

  private final JavaCall call;
  private final Runs runs = new Runs();
  private final float[] v = new float[PIECE];
  private final float[] dw = new float[PIECE];
  private final double[] one = new double[1];
  private final RowSum squares = new RowSum();
  private final RowSum products = new RowSum();
  private final Windows gradient;

  AxisNormTwin(JavaCall call) {
    this.call = call;
    gradient = call.array(2);
  }

  void unit(long unit) {
    long run = call.integer(2);
    long step = call.integer(1) * run;
    for (long o = 0; o < call.integer(0); o++) {
      sum(o * step + unit * run, run);
    }
    double norm = Math.sqrt(squares.finish());
    double along = products.finish();
    one[0] = norm;
    call.array(5).putDoubles(unit, one, 1);
    boolean zero = norm == 0.0;
    double size = call.array(1) == null ? 1.0 : (double) runs.one(call.array(1), unit);
    int mode = (int) call.integer(3);
    boolean fixed = mode == 1 && call.integer(0) * run == 1;
    float factor = zero || fixed ? 0f : (float) (size / norm);
    float share = zero || mode != 1 ? 0f : (float) (along / norm / norm);
    if (mode != 0 && call.array(4) != null) {
      runs.one(call.array(4), unit, zero ? 0f : (float) (along / norm));
    }
    for (long o = 0; o < call.integer(0); o++) {
      apply(o * step + unit * run, run, mode, zero, factor, share);
    }
  }

  private void sum(long first, long run) {
    for (long at = 0; at < run; at += PIECE) {
      int n = (int) Math.min(PIECE, run - at);
      call.array(0).getFloats(first + at, v, n);
      for (int i = 0; i < n; i++) {
        squares.add((double) v[i] * (double) v[i]);
      }
      if (gradient != null) {
        gradient.getFloats(first + at, dw, n);
        for (int i = 0; i < n; i++) {
          products.add((double) dw[i] * (double) v[i]);
        }
      }
    }
  }

  private void apply(long first, long run, int mode, boolean zero, float factor, float share) {
    for (long at = 0; at < run; at += PIECE) {
      int n = (int) Math.min(PIECE, run - at);
      call.array(0).getFloats(first + at, v, n);
      if (gradient != null) {
        gradient.getFloats(first + at, dw, n);
      }
      for (int i = 0; i < n; i++) {
        float value = mode == 0 ? v[i] : mode == 1 ? fma(-share, v[i], dw[i]) : dw[i];
        v[i] = zero ? 0f : factor * value;
      }
      call.array(3).putFloats(first + at, v, n);
    }
  }
}
