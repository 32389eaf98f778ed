package org.fettle.internal.kernels;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.Kernel;
import org.fettle.internal.Philox;

/** Training without master weights: twins of {@code native/src/kernels/eco.h}. */
public final class EcoKernels {
  /** F32 weights to codes and scales. */
  public static final Kernel ECO_START = new Kernel("eco_start", EcoKernels::start);

  /** A step over codes, scales, momentum and second moment. */
  public static final Kernel ECO_STEP = new Kernel("eco_step", EcoKernels::step);

  /** Codes and scales to F32 weights. */
  public static final Kernel ECO_DECODE = new Kernel("eco_decode", EcoKernels::decode);

  private static final int GROUP = 32;
  private static final int RUN = RowChunks.CHUNK;

  private EcoKernels() {}

  /** A unit: its format, its place, its codes and scale. */
  private static final class Unit {
    final EcoFormat format;
    final long first;
    final int count;
    final long at;
    final byte[] packed;

    Unit(JavaCall call, long unit) {
      long columns = call.integer(0);
      format = call.integer(1) == 0 ? EcoFormat.FP8 : EcoFormat.INT4;
      if (format == EcoFormat.FP8) {
        first = unit * columns;
        count = Math.toIntExact(columns);
        at = first;
        packed = new byte[count];
      } else {
        long groups = (columns + GROUP - 1) / GROUP;
        long row = unit / groups;
        long start = (unit - row * groups) * GROUP;
        first = row * columns + start;
        count = (int) Math.min(GROUP, columns - start);
        at = row * ((columns + 1) / 2) + start / 2;
        packed = new byte[(count + 1) / 2];
      }
    }

    void load(JavaCall call, int array) {
      byte[] run = new byte[Math.min(RUN, packed.length)];
      for (int i = 0; i < packed.length; i += RUN) {
        int n = Math.min(RUN, packed.length - i);
        call.array(array).getBytes(at + i, run, n);
        System.arraycopy(run, 0, packed, i, n);
      }
    }

    void store(JavaCall call, int array) {
      byte[] run = new byte[Math.min(RUN, packed.length)];
      for (int i = 0; i < packed.length; i += RUN) {
        int n = Math.min(RUN, packed.length - i);
        System.arraycopy(packed, i, run, 0, n);
        call.array(array).putBytes(at + i, run, n);
      }
    }

    int code(int i) {
      return format == EcoFormat.FP8 ? packed[i] & 0xFF : packed[i >> 1] >> ((i & 1) * 4) & 15;
    }

    void code(int i, int code) {
      if (format == EcoFormat.FP8) {
        packed[i] = (byte) code;
      } else {
        int shift = (i & 1) * 4;
        packed[i >> 1] = (byte) ((packed[i >> 1] & (0xF0 >> shift)) | (code << shift));
      }
    }

    float[] read(JavaCall call, int array) {
      float[] values = new float[count];
      float[] run = new float[Math.min(RUN, count)];
      for (int i = 0; i < count; i += RUN) {
        int n = Math.min(RUN, count - i);
        call.array(array).getFloats(first + i, run, n);
        System.arraycopy(run, 0, values, i, n);
      }
      return values;
    }

    void write(JavaCall call, int array, float[] values) {
      float[] run = new float[Math.min(RUN, count)];
      for (int i = 0; i < count; i += RUN) {
        int n = Math.min(RUN, count - i);
        System.arraycopy(values, i, run, 0, n);
        call.array(array).putFloats(first + i, run, n);
      }
    }
  }

  private static double scale(double largest, float code) {
    return Float.isFinite((float) largest) ? largest / (double) code : Double.NaN;
  }

  private static float quotient(double x, double scale) {
    return scale > 0.0 ? (float) (x / scale) : 0f;
  }

  private static void start(JavaCall call, long first, long last) {
    double[] scale = new double[1];
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      float[] w = unit.read(call, 0);
      float largest = 0f;
      for (float x : w) {
        largest = Arithmetic.larger(largest, Math.abs(x));
      }
      scale[0] = scale(largest, unit.format.largest);
      for (int i = 0; i < w.length; i++) {
        unit.code(i, unit.format.nearest(quotient(w[i], scale[0])));
      }
      unit.store(call, 1);
      call.array(2).putDoubles(number, scale, 1);
    }
  }

  private static void decode(JavaCall call, long first, long last) {
    double[] scale = new double[1];
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      unit.load(call, 0);
      call.array(1).getDoubles(number, scale, 1);
      float[] w = new float[unit.count];
      for (int i = 0; i < w.length; i++) {
        w[i] = (float) ((double) unit.format.decode(unit.code(i)) * scale[0]);
      }
      unit.write(call, 2, w);
    }
  }

  private static void step(JavaCall call, long first, long last) {
    double[] scale = new double[1];
    int[] words = new int[4];
    boolean adaptive = call.array(4) != null;
    boolean stochastic = call.integer(2) != 0;
    float b1 = (float) call.number(0);
    float c1 = (float) call.number(1);
    float b2 = (float) call.number(2);
    float c2 = (float) call.number(3);
    float correction = (float) call.number(4);
    float eps = (float) call.number(5);
    double keep = call.number(6);
    double rate = call.number(7);
    double share = call.number(8);
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      unit.load(call, 0);
      call.array(1).getDoubles(number, scale, 1);
      double oldScale = scale[0];
      float[] g = unit.read(call, 2);
      float[] m = unit.read(call, 3);
      float[] v = adaptive ? unit.read(call, 4) : null;
      float[] denominator = new float[unit.count];
      double[] weight = new double[unit.count];
      double largest = 0.0;
      for (int i = 0; i < unit.count; i++) {
        m[i] = Arithmetic.movingAverage(m[i], g[i], b1, c1);
        denominator[i] = 1f;
        if (v != null) {
          v[i] = Arithmetic.movingAverage(v[i], g[i] * g[i], b2, c2);
          denominator[i] = Arithmetic.root(v[i] * correction) + eps;
        }
        double old = (double) unit.format.decode(unit.code(i)) * oldScale;
        weight[i] = keep * old - rate * ((double) m[i] / (double) denominator[i]);
        double magnitude = Math.abs(weight[i]);
        if (magnitude > largest || Double.isNaN(magnitude)) {
          largest = Double.isNaN(largest) ? largest : magnitude;
        }
      }
      scale[0] = scale(largest, unit.format.largest);
      float[] error = new float[unit.count];
      for (int i = 0; i < unit.count; i++) {
        long element = unit.first + i;
        float x = quotient(weight[i], scale[0]);
        int code;
        if (stochastic) {
          Philox.words(
              call.integer(3),
              element >>> 2,
              (int) call.integer(4),
              (int) call.integer(5),
              words,
              0);
          code = unit.format.stochastic(x, words[(int) (element & 3)]);
        } else {
          code = unit.format.nearest(x);
        }
        unit.code(i, code);
        double e = weight[i] - (double) unit.format.decode(code) * scale[0];
        m[i] = (float) ((double) m[i] + share * (double) denominator[i] * e);
        error[i] = (float) e;
      }
      unit.store(call, 0);
      call.array(1).putDoubles(number, scale, 1);
      unit.write(call, 3, m);
      if (v != null) {
        unit.write(call, 4, v);
      }
      if (call.array(5) != null) {
        unit.write(call, 5, error);
      }
    }
  }
}
