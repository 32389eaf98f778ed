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

  private static void start(JavaCall call, long first, long last) {
    double[] scale = new double[1];
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      float[] w = unit.read(call, 0);
      float largest = 0f;
      for (float x : w) {
        largest = Arithmetic.larger(largest, Math.abs(x));
      }
      double measure = scale(largest, unit.format.largest);
      for (int i = 0; i < w.length; i++) {
        unit.code(i, unit.format.nearest(measure > 0.0 ? (float) (w[i] / measure) : 0f));
      }
      unit.store(call, 1);
      scale[0] = measure / unit.format.unit;
      call.array(2).putDoubles(number, scale, 1);
    }
  }

  private static void decode(JavaCall call, long first, long last) {
    double[] scale = new double[1];
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      unit.load(call, 0);
      call.array(1).getDoubles(number, scale, 1);
      double measure = scale[0] * unit.format.unit;
      float[] w = new float[unit.count];
      for (int i = 0; i < w.length; i++) {
        w[i] = (float) ((double) unit.format.decode(unit.code(i)) * measure);
      }
      unit.write(call, 2, w);
    }
  }

  /** What does not change from unit to unit of a step. */
  private static final class Constants {
    final float b1;
    final float c1;
    final float b2;
    final float c2;
    final float correction;
    final float eps;
    final double keep;
    final double rate;
    final double share;

    Constants(JavaCall call) {
      b1 = (float) call.number(0);
      c1 = (float) call.number(1);
      b2 = (float) call.number(2);
      c2 = (float) call.number(3);
      correction = (float) call.number(4);
      eps = (float) call.number(5);
      keep = call.number(6);
      rate = call.number(7);
      share = call.number(8);
    }
  }

  /** What the elements of a unit share once its new scale is known, which is the unit of these. */
  private static final class Change {
    /** As stored. */
    final double scale;

    /** Whether codes are not all zero. */
    final boolean usable;

    /** What 1 stands for. */
    float measure;

    /** What an old number is worth, and that less 1. */
    float ratio;

    float growth;
    float rate;
    float share;

    /**
     * @param kept what an old number is worth, a float's product with it
     * @param measure the scale in units of the format's numbers
     * @param unit of these
     */
    Change(Constants constants, double kept, double measure, double unit) {
      scale = measure / unit;
      setUnits(constants, kept, measure);
      // A smaller scale's reciprocal is out of range.
      usable = scale >= Float.MIN_NORMAL && Float.isFinite(ratio) && Float.isFinite(rate);
      if (!usable) {
        setUnits(constants, kept, Double.isNaN(measure) ? measure : 1.0);
        growth = ratio;
      }
    }

    private void setUnits(Constants constants, double kept, double unit) {
      double reciprocal = 1.0 / unit;
      measure = (float) unit;
      ratio = (float) (kept * reciprocal);
      growth = (float) ((kept - unit) * reciprocal);
      rate = (float) (-constants.rate * reciprocal);
      share = (float) (constants.share * unit);
    }
  }

  /** A unit's moments after a step, and the directions that they give. */
  private static final class Moments {
    final float[] momentum;
    final float[] second;
    final float[] denominator;
    final float[] direction;

    Moments(JavaCall call, Unit unit, Constants constants) {
      float[] gradient = unit.read(call, 2);
      momentum = unit.read(call, 3);
      second = call.array(4) == null ? null : unit.read(call, 4);
      denominator = second == null ? null : new float[unit.count];
      direction = second == null ? momentum.clone() : new float[unit.count];
      for (int i = 0; i < unit.count; i++) {
        float g = gradient[i];
        momentum[i] = Arithmetic.movingAverage(momentum[i], g, constants.b1, constants.c1);
        if (second == null) {
          direction[i] = momentum[i];
        } else {
          second[i] = Arithmetic.movingAverage(second[i], g * g, constants.b2, constants.c2);
          denominator[i] = Arithmetic.root(second[i] * constants.correction) + constants.eps;
          direction[i] = momentum[i] / denominator[i];
        }
      }
    }
  }

  /**
   * The scale, in units of the format's numbers: the double of the first of the largest weights.
   */
  private static double measure(Unit unit, double kept, float rate, float[] direction) {
    float largest = 0f;
    double exact = 0.0;
    for (int i = 0; i < unit.count; i++) {
      float number = unit.format.decode(unit.code(i));
      float moved = rate * direction[i];
      float weight = Math.abs(Arithmetic.fma(number, (float) kept, moved));
      if (Float.isNaN(weight)) {
        return Double.NaN;
      }
      if (weight > largest) {
        largest = weight;
        exact = Math.abs(kept * (double) number + (double) moved);
      }
    }
    return Float.isFinite(largest) ? scale(exact, unit.format.largest) : Double.NaN;
  }

  private static void step(JavaCall call, long first, long last) {
    double[] scale = new double[1];
    int[] words = new int[4];
    boolean stochastic = call.integer(2) != 0;
    Constants constants = new Constants(call);
    for (long number = first; number < last; number++) {
      Unit unit = new Unit(call, number);
      EcoFormat format = unit.format;
      unit.load(call, 0);
      call.array(1).getDoubles(number, scale, 1);
      double kept = constants.keep * scale[0] * format.unit;
      Moments next = new Moments(call, unit, constants);
      double measure = measure(unit, kept, (float) -constants.rate, next.direction);
      Change change = new Change(constants, kept, measure, format.unit);
      scale[0] = change.scale;
      float[] error = new float[unit.count];
      for (int i = 0; i < unit.count; i++) {
        long element = unit.first + i;
        float old = format.decode(unit.code(i));
        float moved = change.rate * next.direction[i];
        float x = change.usable ? Arithmetic.fma(old, change.ratio, moved) : 0f;
        int code;
        if (stochastic) {
          Philox.words(
              call.integer(3),
              element >>> 2,
              (int) call.integer(4),
              (int) call.integer(5),
              words,
              0);
          code = format.stochastic(x, words[(int) (element & 3)]);
        } else {
          code = format.nearest(x);
        }
        unit.code(i, code);
        // Without a -0, which would make a difference to the sign of a zero.
        float lost = change.usable ? old - (format.decode(code) + 0f) : 0f;
        float e = Arithmetic.fma(old, change.growth, lost + moved);
        float share = next.second == null ? change.share : change.share * next.denominator[i];
        next.momentum[i] = Arithmetic.fma(share, e, next.momentum[i]);
        error[i] = e * change.measure;
      }
      unit.store(call, 0);
      call.array(1).putDoubles(number, scale, 1);
      unit.write(call, 3, next.momentum);
      if (next.second != null) {
        unit.write(call, 4, next.second);
      }
      if (call.array(5) != null) {
        unit.write(call, 5, error);
      }
    }
  }
}
