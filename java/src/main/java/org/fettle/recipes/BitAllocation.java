package org.fettle.recipes;

import org.fettle.Range;

/**
 * BAQ (arXiv:2506.05664): how many levels each column of a layer is worth, in closed form, from its
 * loss at a reference width. On the host, in double.
 *
 * @param referenceBits R, the width at which the losses were measured
 * @param exponent 1.95 in the authors' code, 2 in theory
 */
public record BitAllocation(double referenceBits, double exponent) {
  /** Checks the numbers. */
  public BitAllocation {
    Range.positive("referenceBits", referenceBits);
    Range.positive("exponent", exponent);
  }

  /** The gain that the authors use: geometric mean of (loss + 1e-8) over the mean of the losses. */
  public static double gain(double[] losses) {
    double logarithms = 0.0;
    double sum = 0.0;
    for (double loss : losses) {
      logarithms += StrictMath.log(loss + 1e-8);
      sum += loss;
    }
    double n = losses.length;
    return StrictMath.exp(logarithms / n) / (sum / n);
  }

  /** Whole levels of every column: at least 1. */
  public double[] levels(double[] losses, double gain) {
    Range.positive("gain", gain);
    check(losses);
    double sum = 0.0;
    for (double loss : losses) {
      sum += loss;
    }
    double mean = sum / losses.length;
    double[] levels = new double[losses.length];
    for (int i = 0; i < levels.length; i++) {
      double ratio = losses[i] / (gain * mean) * StrictMath.pow(2.0, exponent * referenceBits);
      double exact = mean == 0.0 ? 1.0 : StrictMath.pow(ratio, 1.0 / exponent);
      levels[i] = Math.max(1.0, Math.rint(exact));
    }
    return levels;
  }

  /** Bits of levels, log2. */
  public static double[] bits(double[] levels) {
    double[] bits = new double[levels.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = StrictMath.log(levels[i]) / StrictMath.log(2.0);
    }
    return bits;
  }

  /** The paper's form, {@code R + log2(loss / geometric mean) / 2}, before limits and rounding. */
  public double[] closedForm(double[] losses) {
    check(losses);
    double logarithms = 0.0;
    for (double loss : losses) {
      logarithms += StrictMath.log(loss);
    }
    double mean = logarithms / losses.length;
    double[] bits = new double[losses.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = referenceBits + 0.5 * (StrictMath.log(losses[i]) - mean) / StrictMath.log(2.0);
    }
    return bits;
  }

  private static void check(double[] losses) {
    for (int i = 0; i < losses.length; i++) {
      Range.nonNegative("loss " + i, losses[i]);
    }
  }
}
