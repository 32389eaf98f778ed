package org.fettle.internal.kernels;

import static org.fettle.Arithmetic.fma;

import org.fettle.Arithmetic;
import org.fettle.internal.JavaCall;
import org.fettle.internal.JavaKernel;
import org.fettle.internal.Kernel;

/** Steps under a mask: twins of {@code native/src/kernels/pruning/masked_steps.h}. */
public final class PruningKernels {
  /** Elements of a unit. */
  public static final int UNIT = 4096;

  /**
   * SR-STE's step. Arrays: mask, w, momentum, g. Integers: elements. Numbers: lambda, -lr,
   * momentum, weight decay.
   */
  public static final Kernel SR_STE_STEP =
      new Kernel("sr_ste_step", step(3, 1, PruningKernels::srSte));

  /** w + a g where the mask is 1. Arrays: mask, w, g. Integers: elements. Numbers: a. */
  public static final Kernel MASKED_ADD =
      new Kernel("masked_add", step(2, 1, PruningKernels::maskedAdd));

  /** BiP's scores. Arrays: null, score, w, g. Integers: elements. Numbers: -rate, -lr2. */
  public static final Kernel BIP_SCORE =
      new Kernel("bip_score", step(3, 2, PruningKernels::bipScore));

  /** BiP's derived gradient. Arrays: mask, out, w, g. Integers: elements. Numbers: -lr2. */
  public static final Kernel BIP_DERIVED =
      new Kernel("bip_derived", step(3, 2, PruningKernels::bipDerived));

  private PruningKernels() {}

  /** One tile: replaces what the arrays hold. */
  private interface Elements {
    void run(float[] c, boolean[] kept, float[][] x, int n);
  }

  private static void srSte(float[] c, boolean[] kept, float[][] x, int n) {
    for (int i = 0; i < n; i++) {
      float w = x[0][i];
      float g = kept[i] ? x[2][i] : fma(c[0], w, x[2][i]);
      g = c[3] == 0f ? g : fma(c[3], w, g);
      x[1][i] = fma(c[2], x[1][i], g);
      x[0][i] = fma(c[1], x[1][i], w);
    }
  }

  private static void maskedAdd(float[] c, boolean[] kept, float[][] x, int n) {
    for (int i = 0; i < n; i++) {
      x[0][i] = kept[i] ? fma(c[0], x[1][i], x[0][i]) : x[0][i];
    }
  }

  private static void bipScore(float[] c, boolean[] kept, float[][] x, int n) {
    for (int i = 0; i < n; i++) {
      float q = x[1][i] * x[2][i] * Arithmetic.sign(x[0][i]);
      x[0][i] = fma(c[0], fma(c[1] * q, q, q), x[0][i]);
    }
  }

  private static void bipDerived(float[] c, boolean[] kept, float[][] x, int n) {
    for (int i = 0; i < n; i++) {
      float product = x[1][i] * x[2][i];
      x[0][i] = kept[i] ? fma(c[0] * x[2][i], x[2][i], product) : product;
    }
  }

  private static JavaKernel step(int arrays, int reads, Elements elements) {
    return (call, first, last) -> {
      float[] c = new float[4];
      for (int k = 0; k < c.length; k++) {
        c[k] = (float) call.number(k);
      }
      float[][] x = new float[arrays][UNIT];
      boolean[] kept = new boolean[UNIT];
      for (long unit = first; unit < last; unit++) {
        long at = unit * UNIT;
        int n = (int) Math.min(UNIT, call.integer(0) - at);
        bits(call, at, n, kept);
        for (int k = 0; k < arrays; k++) {
          call.array(1 + k).getFloats(at, x[k], n);
        }
        elements.run(c, kept, x, n);
        for (int k = 0; k < arrays - reads; k++) {
          call.array(1 + k).putFloats(at, x[k], n);
        }
      }
    };
  }

  private static void bits(JavaCall call, long at, int n, boolean[] kept) {
    for (int i = 0; i < n; i++) {
      kept[i] = call.array(0) == null || (call.array(0).getByte(at + i) >> ((at + i) % 8) & 1) != 0;
    }
  }
}
