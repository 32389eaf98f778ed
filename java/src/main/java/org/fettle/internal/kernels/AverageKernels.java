package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.DType;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.TileCodec;
import org.fettle.internal.Windows;

/** Averages of weights, outside a step: twin of {@code native/src/kernels/merge/averages.h}. */
public final class AverageKernels {
  /** e to a e + (1 - a) p. */
  public static final int PRODUCTS = 0;

  /** e to e + t (p - e). */
  public static final int DIFFERENCE = 1;

  /** As {@link #DIFFERENCE}, then p to e. */
  public static final int LOOKAHEAD = 2;

  /** The most averages of a call. */
  public static final int MOST_AVERAGES = 15;

  /** Moves several averages in one pass over the weights. */
  public static final Kernel MOVE_AVERAGES =
      new Kernel("move_averages", AverageKernels::moveAverages);

  /** Exchanges two arrays. */
  public static final Kernel SWAP_VALUES = new Kernel("swap_values", AverageKernels::swapValues);

  private static final int TILE = TileCodec.TILE;

  private AverageKernels() {}

  private static void moveAverages(JavaCall call, long firstUnit, long lastUnit) {
    TileCodec codec = new TileCodec();
    float[] p = new float[TILE];
    float[] e = new float[TILE];
    int count = (int) call.integer(0);
    int form = (int) call.integer(1);
    long end = Math.min(lastUnit * PlanSpec.CHUNK, call.elements(0));
    for (long at = firstUnit * PlanSpec.CHUNK; at < end; at += TILE) {
      int n = (int) Math.min(TILE, end - at);
      codec.decode(call.array(0), at, n, p);
      for (int k = 0; k < count; k++) {
        double number = call.number(k);
        float keep = (float) (form == PRODUCTS ? number : 1.0 - number);
        float take = (float) (form == PRODUCTS ? 1.0 - number : number);
        codec.decode(call.array(1 + k), at, n, e);
        move(form, e, p, keep, take, n);
        codec.encode(call.array(1 + k), at, n, e);
      }
      if (form == LOOKAHEAD) {
        codec.encode(call.array(0), at, n, e);
      }
    }
  }

  private static void move(int form, float[] e, float[] p, float keep, float take, int n) {
    if (take == 1f) {
      System.arraycopy(p, 0, e, 0, n);
    } else if (form == PRODUCTS) {
      for (int i = 0; i < n; i++) {
        e[i] = Arithmetic.movingAverage(e[i], p[i], keep, take);
      }
    } else {
      for (int i = 0; i < n; i++) {
        e[i] = Arithmetic.fma(take, p[i] - e[i], e[i]);
      }
    }
  }

  private static void swapValues(JavaCall call, long firstUnit, long lastUnit) {
    Windows a = call.array(0);
    Windows b = call.array(1);
    boolean wide = a.dtype() == DType.F32;
    float[] floats = new float[TILE];
    float[] otherFloats = new float[TILE];
    short[] codes = new short[TILE];
    short[] otherCodes = new short[TILE];
    long end = Math.min(lastUnit * PlanSpec.CHUNK, call.elements(0));
    for (long at = firstUnit * PlanSpec.CHUNK; at < end; at += TILE) {
      int n = (int) Math.min(TILE, end - at);
      if (wide) {
        a.getFloats(at, floats, n);
        b.getFloats(at, otherFloats, n);
        a.putFloats(at, otherFloats, n);
        b.putFloats(at, floats, n);
      } else {
        a.getShorts(at, codes, n);
        b.getShorts(at, otherCodes, n);
        a.putShorts(at, otherCodes, n);
        b.putShorts(at, codes, n);
      }
    }
  }
}
