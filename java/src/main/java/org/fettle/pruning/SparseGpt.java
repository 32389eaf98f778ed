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
 * SparseGPT: prunes a layer block of columns by block, and lets the columns to come make up for
 * what is lost.
 *
 * <pre>
 * H = 2 X' X / calls, with 1 where the diagonal is 0 (and weight 0), plus percdamp * mean diagonal
 * U = upper Cholesky factor of the inverse of H ;  score = (w / U_jj)^2
 * error = (w - q) / U_jj spreads along row j of U
 * </pre>
 *
 * <p>Without groups, a block loses all scores up to element {@code floor(sparsity * cells)} of
 * their ascending order, so one more than the share; with groups the scores are those of the
 * weights when the group begins. In double. Cost: inputs^3 + outputs * inputs^2. Source: Frantar
 * and Alistarh, arXiv:2301.00774; IST-DASLab/sparsegpt.
 */
public final class SparseGpt {
  private final Backend backend;
  private final Options options;
  private final Layer layer;
  private final Products products;

  /**
   * The hyperparameters.
   *
   * @param pattern what is pruned
   * @param blockSize columns of a block; more than 0 and a multiple of the group
   * @param percdamp damping in shares of the mean diagonal, at least 0
   */
  public record Options(LayerPattern pattern, int blockSize, double percdamp) {
    /** Checks the numbers. */
    public Options {
      Range.check("blockSize", blockSize, blockSize > 0, "> 0");
      Range.nonNegative("percdamp", percdamp);
      if (pattern.isGrouped() && blockSize % pattern.group() != 0) {
        throw new IllegalArgumentException(
            "blockSize is " + blockSize + ": expected a multiple of the group, " + pattern.group());
      }
    }

    /** Blocks of 128 columns, damping 0.01. */
    public Options(LayerPattern pattern) {
      this(pattern, 128, 0.01);
    }
  }

  /** A solver on that backend's BLAS. */
  public SparseGpt(Backend backend, Options options) {
    this.backend = backend;
    this.options = options;
    layer = new Layer(backend);
    products = Products.of(Access.engine(backend));
  }

  /** The backend. */
  public Backend backend() {
    return backend;
  }

  /**
   * Prunes one layer.
   *
   * @param weight outputs x inputs: F32, F64, BF16 or F16
   * @param hessian H before damping: inputs x inputs, symmetric
   * @param pruned receives the weights; may be {@code weight}
   * @param mask receives 1 where a weight was kept: BIT, as many elements as the weight
   * @return the sum of the losses, half the squared error of the outputs
   * @throws ArithmeticException if the damped Hessian is not positive definite; nothing was written
   */
  public double prune(
      Tensor weight, Tensor hessian, Tensor pruned, Tensor mask, Progress progress) {
    layer.check("weight", weight, -1, -1);
    long outputs = weight.shape()[0];
    long inputs = weight.shape()[1];
    layer.check("hessian", hessian, inputs, inputs);
    layer.check("pruned", pruned, outputs, inputs);
    layer.checkMask("mask", mask, weight.elements());
    options.pattern.check(inputs);
    Layer.apart("pruned", pruned, "hessian", hessian);
    Matrix w = layer.matrix(weight);
    boolean[] kept = new boolean[w.rows() * w.columns()];
    double loss = solve(w, layer.matrix(hessian), kept, progress);
    layer.write(pruned, w.values());
    layer.writeMask(mask, kept);
    return loss;
  }

  private double solve(Matrix w, Matrix h, boolean[] kept, Progress progress) {
    Matrix upper = factor(w, h);
    Arrays.fill(kept, true);
    int inputs = w.columns();
    int blocks = (inputs + options.blockSize - 1) / options.blockSize;
    double loss = 0;
    for (int block = 0; block < blocks; block++) {
      int first = block * options.blockSize;
      int last = Math.min(first + options.blockSize, inputs);
      Matrix errors = Matrix.zeros(w.rows(), last - first);
      loss += pruneBlock(w, upper, kept, errors, first, last);
      spread(w, upper, errors, first, last);
      progress.at(block + 1, blocks, loss);
    }
    return loss;
  }

  /** The upper Cholesky factor of the damped inverse; dead columns lose their weights. */
  private Matrix factor(Matrix w, Matrix h) {
    int inputs = w.columns();
    for (int j = 0; j < inputs; j++) {
      if (h.get(j, j) == 0) {
        h.set(j, j, 1);
        for (int i = 0; i < w.rows(); i++) {
          w.set(i, j, 0);
        }
      }
    }
    h.addToDiagonal(inputs == 0 ? 0 : options.percdamp * h.trace() / inputs);
    Matrix inverse = products.algebra().inverse(h);
    Matrix lower = inverse == null ? null : products.algebra().cholesky(inverse);
    if (lower == null) {
      throw new ArithmeticException(
          "the Hessian is not positive definite with percdamp " + options.percdamp);
    }
    return lower.transposed();
  }

  private double pruneBlock(
      Matrix w, Matrix upper, boolean[] kept, Matrix errors, int first, int last) {
    int columns = w.columns();
    boolean grouped = options.pattern.isGrouped();
    if (!grouped) {
      chooseBlock(w, upper, kept, first, last);
    }
    double loss = 0;
    for (int j = first; j < last; j++) {
      if (grouped && (j - first) % options.pattern.group() == 0) {
        chooseGroups(w, upper, kept, j);
      }
      double diagonal = upper.get(j, j);
      for (int i = 0; i < w.rows(); i++) {
        double value = w.get(i, j);
        double rounded = kept[i * columns + j] ? value : 0;
        double error = (value - rounded) / diagonal;
        loss += error * error / 2;
        for (int k = j; k < last; k++) {
          w.set(i, k, w.get(i, k) - error * upper.get(j, k));
        }
        w.set(i, j, rounded);
        errors.set(i, j - first, error);
      }
    }
    return loss;
  }

  private void chooseBlock(Matrix w, Matrix upper, boolean[] kept, int first, int last) {
    int width = last - first;
    double[] scores = new double[w.rows() * width];
    if (scores.length == 0) {
      return;
    }
    for (int i = 0; i < w.rows(); i++) {
      for (int j = 0; j < width; j++) {
        scores[i * width + j] = score(w, upper, i, first + j);
      }
    }
    double[] sorted = scores.clone();
    Arrays.sort(sorted);
    double threshold = sorted[(int) (sorted.length * options.pattern.sparsity())];
    for (int i = 0; i < w.rows(); i++) {
      for (int j = 0; j < width; j++) {
        kept[i * w.columns() + first + j] = !(scores[i * width + j] <= threshold);
      }
    }
  }

  private void chooseGroups(Matrix w, Matrix upper, boolean[] kept, int first) {
    int group = options.pattern.group();
    for (int i = 0; i < w.rows(); i++) {
      int row = i;
      // The lowest index is kept first among equals, so the highest goes first.
      int[] order =
          IntStream.range(first, first + group)
              .boxed()
              .sorted(
                  Comparator.comparingDouble((Integer j) -> score(w, upper, row, j))
                      .thenComparing(Comparator.reverseOrder()))
              .mapToInt(Integer::intValue)
              .toArray();
      for (int k = 0; k < options.pattern.pruned(); k++) {
        kept[i * w.columns() + order[k]] = false;
      }
    }
  }

  private static double score(Matrix w, Matrix upper, int i, int j) {
    double diagonal = upper.get(j, j);
    double value = w.get(i, j);
    return value * value / (diagonal * diagonal);
  }

  /** What the block lost, made up for by the columns behind it. */
  private void spread(Matrix w, Matrix upper, Matrix errors, int first, int last) {
    int rest = w.columns() - last;
    if (rest == 0 || w.rows() == 0) {
      return;
    }
    Matrix part = Matrix.zeros(last - first, rest);
    for (int j = first; j < last; j++) {
      for (int k = 0; k < rest; k++) {
        part.set(j - first, k, upper.get(j, last + k));
      }
    }
    Matrix change = products.multiply(errors, part);
    for (int i = 0; i < w.rows(); i++) {
      for (int k = 0; k < rest; k++) {
        w.set(i, last + k, w.get(i, last + k) - change.get(i, k));
      }
    }
  }
}
