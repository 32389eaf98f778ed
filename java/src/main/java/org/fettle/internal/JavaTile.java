package org.fettle.internal;

import static org.fettle.Arithmetic.clamp;
import static org.fettle.Arithmetic.movingAverage;

import org.fettle.DType;
import org.fettle.MaskedStates;
import org.fettle.Rounding;

/**
 * One participant's scratch, and the pipeline over it: decode, prologue, rule, epilogue, encode.
 * Twin of {@code native/src/cpu/step.cpp}. Arrays, because C2 vectorises loops over them and not
 * over buffers.
 */
final class JavaTile {
  /** Elements of a tile, but for one that must hold a larger block. */
  static final int SIZE = 512;

  // Purposes of the random streams of one tensor.
  private static final int ROUND_PARAMETER = 0;
  private static final int ROUND_COPY = 1;
  private static final int ROUND_AVERAGE = 2;
  private static final int ROUND_STATE = 4;

  private int size = SIZE;
  private float[] p = new float[SIZE];
  private float[] g = new float[SIZE];
  private float[][] state = new float[4][SIZE];
  private float[] average = new float[SIZE];
  private final float[][] a = new float[4][SIZE];
  private final float[][] b = new float[4][SIZE];
  private final double[][] lanes = new double[4][PlanSpec.LANES];
  private short[] codes = new short[SIZE];
  private int[] words = new int[SIZE + 8];
  private final BlockWindows.Scratch blocks = new BlockWindows.Scratch();
  private final float[] coefficients = new float[24];
  private final float[] rowCoefficients = new float[JavaTensor.ROW_COEFFICIENTS];
  private final double[] largest = new double[4];

  /** The whole pipeline over elements first to last - 1. */
  void apply(JavaTensor tensor, float[] coefficients, long first, long last) {
    grow(tensor.tile);
    for (long at = first; at < last; at += tensor.tile) {
      int n = (int) Math.min(tensor.tile, last - at);
      open(tensor, at, n);
      boolean hides = hides(tensor);
      if (hides) {
        applyMask(tensor.mask, at, n, p);
        applyMask(tensor.mask, at, n, g);
      }
      prologue(tensor, tensor.clipFactor, n);
      tensor.rule.update(coefficients, n, p, g, state);
      if (tensor.mask != null) {
        applyMask(tensor.mask, at, n, p);
      }
      if (hides) {
        maskStates(tensor, at, n);
      }
      for (int k = 0; k < tensor.averages.length; k++) {
        if (tensor.averageDue[k]) {
          moveAverage(tensor, k, at, n);
        }
      }
      if (tensor.copy != null) {
        encode(tensor, tensor.copy, tensor.plan.copyRounding(), ROUND_COPY, at, n, p);
      }
      encode(tensor, tensor.parameter, tensor.plan.parameterRounding(), ROUND_PARAMETER, at, n, p);
      for (int k = 0; k < tensor.states.length; k++) {
        if (tensor.blocks[k] != null) {
          tensor.blocks[k].encode(at, n, state[k], blocks);
          continue;
        }
        encode(
            tensor,
            tensor.states[k],
            tensor.plan.stateRounding(),
            ROUND_STATE + k,
            at,
            n,
            state[k]);
      }
    }
  }

  private void moveAverage(JavaTensor tensor, int k, long at, int n) {
    decode(tensor.averages[k], at, n, average);
    for (int i = 0; i < n; i++) {
      average[i] = movingAverage(average[i], p[i], tensor.averageKeep[k], tensor.averageTake[k]);
    }
    // An average of 16 bits is rounded to nearest: it has no policy of its own.
    encode(tensor, tensor.averages[k], Rounding.NEAREST, ROUND_AVERAGE, at, n, average);
    if (tensor.plan.averages().get(k).pulls()) {
      System.arraycopy(average, 0, p, 0, n);
      if (tensor.mask != null) {
        applyMask(tensor.mask, at, n, p);
      }
    }
  }

  private void grow(int elements) {
    if (elements > size) {
      size = elements;
      p = new float[size];
      g = new float[size];
      state = new float[4][size];
      average = new float[size];
      codes = new short[size];
      words = new int[size + 8];
    }
  }

  /** The coefficients of one row of a tensor, until the next call. */
  float[] enterRow(JavaTensor tensor, long row) {
    System.arraycopy(tensor.coefficients, 0, coefficients, 0, coefficients.length);
    int at = (int) row * JavaTensor.ROW_COEFFICIENTS;
    System.arraycopy(tensor.rowCoefficients, at, rowCoefficients, 0, rowCoefficients.length);
    tensor.rule.enter(rowCoefficients, coefficients);
    return coefficients;
  }

  /** One chunk of a gather: its partial sums go to sums[k][at]. */
  void gather(JavaTensor tensor, int gather, long first, long last, double[][] sums, int index) {
    int count = tensor.rule.sums();
    for (int k = 0; k < count; k++) {
      java.util.Arrays.fill(lanes[k], 0.0);
      largest[k] = 0.0;
    }
    boolean maximum = tensor.rule.maximum();
    for (long at = first; at < last; at += SIZE) {
      int n = (int) Math.min(SIZE, last - at);
      open(tensor, at, n);
      if (hides(tensor)) {
        applyMask(tensor.mask, at, n, p);
        applyMask(tensor.mask, at, n, g);
        for (int k = 0; k < tensor.states.length; k++) {
          applyMask(tensor.mask, at, n, state[k]);
        }
      }
      prologue(tensor, tensor.clipFactor, n);
      tensor.rule.gather(gather, tensor.coefficients, n, p, g, state, a, b);
      for (int k = 0; k < count; k++) {
        if (maximum) {
          largest[k] = Reduction.largest(largest[k], a[k], n);
        } else {
          Reduction.accumulate(lanes[k], a[k], b[k], n);
        }
      }
    }
    for (int k = 0; k < count; k++) {
      sums[k][index] = maximum ? largest[k] : Reduction.tree(lanes[k], 0, PlanSpec.LANES);
    }
  }

  /**
   * One chunk of the gradient pass: the sum of squares of the unscaled, value-clipped gradient.
   *
   * @return whether every gradient was finite, as given and once unscaled
   */
  boolean gradientSum(JavaTensor tensor, long first, long last, double[] sums, int index) {
    java.util.Arrays.fill(lanes[0], 0.0);
    boolean finite = true;
    for (long at = first; at < last; at += SIZE) {
      int n = (int) Math.min(SIZE, last - at);
      decode(tensor.gradient, at, n, g);
      if (hides(tensor)) {
        applyMask(tensor.mask, at, n, g);
      }
      // 0 * x is 0 for a finite x and NaN otherwise.
      float verdict = 0f;
      for (int i = 0; i < n; i++) {
        float scaled = g[i] * tensor.unscale;
        verdict += 0f * g[i] + 0f * scaled;
      }
      finite &= verdict == 0f;
      prologue(tensor, 1f, n);
      Reduction.accumulate(lanes[0], g, g, n);
    }
    sums[index] = Reduction.tree(lanes[0], 0, PlanSpec.LANES);
    return finite;
  }

  private void open(JavaTensor tensor, long at, int n) {
    decode(tensor.parameter, at, n, p);
    decode(tensor.gradient, at, n, g);
    for (int k = 0; k < tensor.states.length; k++) {
      openState(tensor, k, at, n, state[k]);
    }
  }

  private void openState(JavaTensor tensor, int k, long at, int n, float[] to) {
    if (tensor.blocks[k] != null) {
      tensor.blocks[k].decode(at, n, to, blocks);
    } else {
      decode(tensor.states[k], at, n, to);
    }
  }

  /** Whether what the mask prunes is hidden from the rule. */
  private static boolean hides(JavaTensor tensor) {
    return tensor.mask != null && tensor.plan.maskedStates() != MaskedStates.UPDATE;
  }

  /** What the step leaves of the states where the mask prunes. */
  private void maskStates(JavaTensor tensor, long at, int n) {
    for (int k = 0; k < tensor.states.length; k++) {
      if (tensor.plan.maskedStates() == MaskedStates.ZERO) {
        applyMask(tensor.mask, at, n, state[k]);
        continue;
      }
      // The gradient is not needed any more.
      openState(tensor, k, at, n, g);
      for (int i = 0; i < n; i++) {
        if (!isKept(tensor.mask, at + i)) {
          state[k][i] = g[i];
        }
      }
    }
  }

  private static boolean isKept(Windows mask, long element) {
    return (mask.getByte(element) >> (element % 8) & 1) != 0;
  }

  /** Unscale, clip by value, clip by norm; a factor of 1 changes no bit and is left out. */
  private void prologue(JavaTensor tensor, float clipFactor, int n) {
    float unscale = tensor.unscale;
    float limit = tensor.clipValue;
    if (unscale != 1f) {
      for (int i = 0; i < n; i++) {
        g[i] *= unscale;
      }
    }
    if (limit != Float.POSITIVE_INFINITY) {
      for (int i = 0; i < n; i++) {
        g[i] = clamp(g[i], limit);
      }
    }
    if (clipFactor != 1f) {
      for (int i = 0; i < n; i++) {
        g[i] *= clipFactor;
      }
    }
  }

  private static void applyMask(Windows mask, long at, int n, float[] values) {
    for (int i = 0; i < n; i++) {
      if (!isKept(mask, at + i)) {
        values[i] = 0f;
      }
    }
  }

  private void decode(Windows from, long at, int n, float[] to) {
    if (from.dtype() == DType.F32) {
      from.getFloats(at, to, n);
      return;
    }
    from.getShorts(at, codes, n);
    if (from.dtype() == DType.BF16) {
      for (int i = 0; i < n; i++) {
        to[i] = Float.intBitsToFloat(codes[i] << 16);
      }
    } else {
      for (int i = 0; i < n; i++) {
        to[i] = Formats.decodeF16(codes[i]);
      }
    }
  }

  private void encode(
      JavaTensor tensor,
      Windows to,
      Rounding rounding,
      int purpose,
      long at,
      int n,
      float[] values) {
    if (to.dtype() == DType.F32) {
      to.putFloats(at, values, n);
      return;
    }
    DType dtype = to.dtype();
    if (rounding == Rounding.STOCHASTIC) {
      int skip = (int) (at & 3);
      for (int i = 0; i < skip + n; i += 4) {
        Philox.words(
            tensor.plan.seed(),
            (at + i) >>> 2,
            (int) tensor.step(),
            tensor.stream + purpose,
            words,
            i);
      }
      for (int i = 0; i < n; i++) {
        codes[i] = Formats.stochastic(dtype, values[i], words[skip + i]);
      }
    } else if (dtype == DType.BF16) {
      for (int i = 0; i < n; i++) {
        codes[i] = Formats.nearestBf16(values[i]);
      }
    } else {
      for (int i = 0; i < n; i++) {
        codes[i] = Formats.nearestF16(values[i]);
      }
    }
    to.putShorts(at, codes, n);
  }
}
