package org.fettle.pruning;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.algebra.Matrix;
import org.fettle.internal.algebra.Products;

/**
 * Layer-wise pruning by the alternating direction method of multipliers, the mask growing over the
 * first iterations.
 *
 * <pre>
 * norm_j = sqrt(G_jj) + 1e-8 ;  H = G / (norm norm') + percdamp * mean diagonal ;  W0 = w * norm
 * Z = (W + U) m ;  U = U + W - Z ;  W = (H + rho I)^-1 (H W0 + rho (Z - U)) ;  result (W + U) m / norm
 * </pre>
 *
 * <p>G = X'X of the layer's inputs; m is chosen by |W + U|. As the author's code has it, a mask of
 * the whole layer aims at the final share at once, while one per output and 2:4 follow the cubic of
 * {@link CubicSchedule}; 2:4 means a half, whatever the share. In double. Source: Boža,
 * arXiv:2401.02938; fmfi-compbio/admm-pruning.
 */
public final class AdmmPruning {
  private final Options options;
  private final Layer layer;
  private final Products products;

  /** Where a mask looks for the smallest. */
  public enum Scope {
    /** In the whole layer. */
    LAYER,
    /** In every output's weights. */
    OUTPUT,
    /** Two of every four neighbours stay. */
    TWO_OF_FOUR
  }

  /**
   * The hyperparameters.
   *
   * @param scope where the mask looks; default LAYER
   * @param sparsity the share of zeros, in [0, 1)
   * @param rho penalty, more than 0; default 1
   * @param iterations default 20
   * @param maskIterations in how many of them the mask is chosen anew; default 15; 0 chooses it
   *     once, before the first
   * @param percdamp damping in shares of the mean diagonal, at least 0; default 0.1
   */
  public record Options(
      Scope scope,
      double sparsity,
      double rho,
      int iterations,
      int maskIterations,
      double percdamp) {
    /** Checks the numbers. */
    public Options {
      Range.check("sparsity", sparsity, sparsity >= 0 && sparsity < 1, "in [0, 1)");
      Range.positive("rho", rho);
      Range.check("iterations", iterations, iterations >= 0, ">= 0");
      Range.check("maskIterations", maskIterations, maskIterations >= 0, ">= 0");
      Range.check(
          "iterations", iterations, iterations > 0 || maskIterations == 0, "> 0 to choose a mask");
      Range.nonNegative("percdamp", percdamp);
    }

    /** The defaults. */
    public Options(Scope scope, double sparsity) {
      this(scope, sparsity, 1, 20, 15, 0.1);
    }
  }

  /** A solver on that backend's BLAS. */
  public AdmmPruning(Backend backend, Options options) {
    this.options = options;
    layer = new Layer(backend);
    products = Products.of(Access.engine(backend));
  }

  /**
   * Prunes one layer.
   *
   * @param weight outputs x inputs: F32, F64, BF16 or F16
   * @param gram G = X'X: inputs x inputs, symmetric
   * @param pruned receives the weights; may be {@code weight}
   * @param mask receives 1 where a weight is not zero: BIT, as many elements as the weight
   * @return the norm of W's last change, the residual
   * @throws ArithmeticException if the damped matrix is not positive definite; nothing was written
   */
  public double prune(Tensor weight, Tensor gram, Tensor pruned, Tensor mask, Progress progress) {
    layer.check("weight", weight, -1, -1);
    long outputs = weight.shape()[0];
    long inputs = weight.shape()[1];
    layer.check("gram", gram, inputs, inputs);
    layer.check("pruned", pruned, outputs, inputs);
    layer.checkMask("mask", mask, weight.elements());
    Layer.apart("pruned", pruned, "gram", gram);
    if (options.scope == Scope.TWO_OF_FOUR) {
      LayerPattern.groups(2, 4).check(inputs);
    }
    Matrix h = layer.matrix(gram);
    checkSymmetric(h);
    // Columns are outputs, as in the source.
    Matrix w = layer.matrix(weight).transposed();
    double residual = weight.elements() == 0 ? 0 : solve(w, h, progress);
    double[] result = w.transposed().values();
    boolean[] kept = new boolean[result.length];
    for (int i = 0; i < result.length; i++) {
      kept[i] = result[i] != 0;
    }
    layer.write(pruned, result);
    layer.writeMask(mask, kept);
    return residual;
  }

  private static void checkSymmetric(Matrix h) {
    for (int i = 0; i < h.rows(); i++) {
      for (int j = 0; j < i; j++) {
        double a = h.get(i, j);
        double b = h.get(j, i);
        if (!(Math.abs(a - b) <= 1e-4 * (Math.abs(a) + Math.abs(b)) + 1e-30)) {
          throw new IllegalArgumentException(
              "gram holds "
                  + a
                  + " at "
                  + i
                  + ", "
                  + j
                  + " and "
                  + b
                  + " across: expected symmetry");
        }
      }
    }
  }

  /** Replaces w by the result. */
  private double solve(Matrix w, Matrix h, Progress progress) {
    int inputs = w.rows();
    double[] norm = new double[inputs];
    for (int j = 0; j < inputs; j++) {
      norm[j] = Math.sqrt(h.get(j, j)) + 1e-8;
    }
    for (int i = 0; i < inputs; i++) {
      for (int j = 0; j < inputs; j++) {
        h.set(i, j, h.get(i, j) / norm[j] / norm[i]);
      }
      for (int j = 0; j < w.columns(); j++) {
        w.set(i, j, w.get(i, j) * norm[i]);
      }
    }
    h.addToDiagonal(options.percdamp * h.trace() / inputs);
    Matrix target = products.multiply(h, w);
    Matrix inverse = products.algebra().inverse(h.copy().addToDiagonal(options.rho));
    if (inverse == null) {
      throw new ArithmeticException(
          "X'X is not positive definite with percdamp " + options.percdamp);
    }
    Matrix u = Matrix.zeros(inputs, w.columns());
    boolean[] mask = options.maskIterations == 0 ? choose(sum(w, u), options.sparsity) : null;
    double residual = 0;
    for (int k = 0; k < options.iterations; k++) {
      if (k < options.maskIterations) {
        double place = (k + 1.0) / options.maskIterations;
        mask = choose(sum(w, u), place);
      }
      Matrix right = target.copy();
      for (int i = 0; i < right.values().length; i++) {
        double both = w.values()[i] + u.values()[i];
        double z = mask[i] ? both : 0;
        u.values()[i] += w.values()[i] - z;
        right.values()[i] += options.rho * (z - u.values()[i]);
      }
      Matrix next = products.multiply(inverse, right);
      residual = next.copy().mix(1, -1, w).norm();
      System.arraycopy(next.values(), 0, w.values(), 0, next.values().length);
      progress.at(k + 1, options.iterations, residual);
    }
    for (int i = 0; i < inputs; i++) {
      for (int j = 0; j < w.columns(); j++) {
        int at = i * w.columns() + j;
        w.set(i, j, mask[at] ? (w.get(i, j) + u.get(i, j)) / norm[i] : 0);
      }
    }
    return residual;
  }

  private static Matrix sum(Matrix w, Matrix u) {
    Matrix sum = w.copy().mix(1, 1, u);
    double[] values = sum.values();
    for (int i = 0; i < values.length; i++) {
      values[i] = Math.abs(values[i]);
    }
    return sum;
  }

  /** The mask of magnitudes, inputs x outputs, at a place of the schedule in (0, 1]. */
  private boolean[] choose(Matrix magnitudes, double place) {
    boolean once = options.maskIterations == 0;
    double share = options.scope == Scope.TWO_OF_FOUR ? 0.5 : options.sparsity;
    double now = once ? share : share - share * Math.pow(1 - place, 3);
    return switch (options.scope) {
      case LAYER -> smallestPruned(magnitudes.values(), options.sparsity);
      case OUTPUT -> chooseByOutput(magnitudes, now);
      case TWO_OF_FOUR -> chooseTwoOfFour(magnitudes, once, now);
    };
  }

  /** All but the smallest, the lowest index first kept among equals. */
  private static boolean[] smallestPruned(double[] values, double share) {
    boolean[] kept = new boolean[values.length];
    IntStream.range(0, values.length)
        .boxed()
        .sorted(
            Comparator.comparingDouble((Integer i) -> values[i])
                .thenComparing(Comparator.reverseOrder()))
        .skip((long) (int) (values.length * share))
        .forEach(i -> kept[i] = true);
    return kept;
  }

  private static boolean[] chooseByOutput(Matrix magnitudes, double share) {
    boolean[] kept = new boolean[magnitudes.values().length];
    double[] column = new double[magnitudes.rows()];
    for (int j = 0; j < magnitudes.columns(); j++) {
      for (int i = 0; i < column.length; i++) {
        column[i] = magnitudes.get(i, j);
      }
      Arrays.sort(column);
      double threshold = column[(int) (column.length * share)];
      for (int i = 0; i < column.length; i++) {
        kept[i * magnitudes.columns() + j] = magnitudes.get(i, j) >= threshold;
      }
    }
    return kept;
  }

  private static boolean[] chooseTwoOfFour(Matrix magnitudes, boolean last, double share) {
    int columns = magnitudes.columns();
    boolean[] kept = new boolean[magnitudes.values().length];
    for (int j = 0; j < columns; j++) {
      for (int quad = 0; quad < magnitudes.rows(); quad += 4) {
        int column = j;
        IntStream.range(quad, quad + 4)
            .boxed()
            .sorted(
                Comparator.comparingDouble((Integer i) -> -magnitudes.get(i, column))
                    .thenComparing(Comparator.naturalOrder()))
            .limit(2)
            .forEach(i -> kept[i * columns + column] = true);
      }
    }
    if (last) {
      return kept;
    }
    double[] rest = magnitudes.values().clone();
    for (int i = 0; i < rest.length; i++) {
      rest[i] = kept[i] ? Double.POSITIVE_INFINITY : rest[i];
    }
    double[] sorted = rest.clone();
    Arrays.sort(sorted);
    double threshold = sorted[(int) (sorted.length * share)];
    for (int i = 0; i < rest.length; i++) {
      kept[i] = rest[i] >= threshold;
    }
    return kept;
  }
}
