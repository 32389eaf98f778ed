package org.fettle.pruning;

import java.util.List;
import org.fettle.Range;

/**
 * Erdős-Rényi-Kernel densities: the share of weights that each layer keeps, so that small layers
 * keep more and the total is met.
 *
 * <p>{@code density_l = eps * (sum of extents / product of extents)^power}; while a layer would
 * exceed 1, the ones with the largest quotient become dense and eps is solved for again. Source:
 * Evci et al., arXiv:1911.11134, and google-research/rigl.
 *
 * @param power of the quotient; default 1
 * @param includeKernel whether all extents count; otherwise the last two
 */
public record ErdosRenyi(double power, boolean includeKernel) {
  /** Checks the power. */
  public ErdosRenyi {
    Range.nonNegative("power", power);
  }

  /** Power 1, with the kernel. */
  public ErdosRenyi() {
    this(1, true);
  }

  /**
   * The density of every layer.
   *
   * @param shapes extents of the layers' weights
   * @param sparsity the share of all weights that is zero, in [0, 1]
   * @throws IllegalArgumentException for a layer without weights, or with fewer than two extents
   *     where only the last two count
   */
  public double[] densities(List<long[]> shapes, double sparsity) {
    Range.check("sparsity", sparsity, sparsity >= 0 && sparsity <= 1, "in [0, 1]");
    int layers = shapes.size();
    double[] quotient = new double[layers];
    double[] weights = new double[layers];
    for (int i = 0; i < layers; i++) {
      weights[i] = product(i, shapes.get(i), 0);
      quotient[i] = quotient(i, shapes.get(i));
    }
    boolean[] dense = new boolean[layers];
    while (true) {
      double wanted = 0;
      double divisor = 0;
      double largest = 0;
      for (int i = 0; i < layers; i++) {
        double zeros = Math.floor(sparsity * weights[i]);
        wanted += dense[i] ? -zeros : weights[i] - zeros;
        if (!dense[i]) {
          divisor += quotient[i] * weights[i];
          largest = Math.max(largest, quotient[i]);
        }
      }
      double eps = divisor == 0 ? 0 : wanted / divisor;
      if (largest * eps <= 1) {
        double[] density = new double[layers];
        for (int i = 0; i < layers; i++) {
          density[i] = dense[i] ? 1 : eps * quotient[i];
        }
        return density;
      }
      for (int i = 0; i < layers; i++) {
        dense[i] |= quotient[i] == largest;
      }
    }
  }

  private double quotient(int layer, long[] shape) {
    int first = includeKernel ? 0 : shape.length - 2;
    if (first < 0) {
      throw new IllegalArgumentException(
          "shape " + layer + " has " + shape.length + " axes: expected at least 2 without kernel");
    }
    double sum = 0;
    for (int i = first; i < shape.length; i++) {
      sum += shape[i];
    }
    return Math.pow(sum / product(layer, shape, first), power);
  }

  private static double product(int layer, long[] shape, int first) {
    double product = 1;
    for (int i = first; i < shape.length; i++) {
      Range.check("shape " + layer + ", extent " + i, shape[i], shape[i] > 0, "> 0");
      product *= shape[i];
    }
    return product;
  }
}
