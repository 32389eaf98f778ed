package org.fettle.pruning;

import java.util.Comparator;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.Tensor;
import org.fettle.internal.algebra.Matrix;

/**
 * Wanda: score {@code |w| * sqrt(s_j)}, s_j the sum over tokens of the squared input j divided by
 * the number of calls; every output row loses its lowest {@code floor(sparsity * inputs)}, or so
 * many of every group. Among equals the lowest column is kept (the author's code prunes it first).
 * Weights stay as they are. In double. Source: Sun et al., arXiv:2306.11695; locuslab/wanda.
 */
public final class Wanda {
  private final Layer layer;
  private final LayerPattern pattern;

  /** A solver for tensors of that backend. */
  public Wanda(Backend backend, LayerPattern pattern) {
    this.pattern = pattern;
    layer = new Layer(backend);
  }

  /**
   * Scores a layer and chooses its mask.
   *
   * @param weight outputs x inputs: F32, F64, BF16 or F16
   * @param columnSquares s: one number per input, not negative
   * @param score receives the scores: the weight's shape, F32, F64, BF16 or F16
   * @param mask receives 1 where a weight is kept: BIT, as many elements as the weight
   */
  public void choose(Tensor weight, Tensor columnSquares, Tensor score, Tensor mask) {
    layer.check("weight", weight, -1, -1);
    long outputs = weight.shape()[0];
    long inputs = weight.shape()[1];
    layer.values("columnSquares", columnSquares);
    if (columnSquares.elements() != inputs) {
      throw new IllegalArgumentException(
          "columnSquares is " + columnSquares + ": expected " + inputs + " elements");
    }
    layer.check("score", score, outputs, inputs);
    layer.checkMask("mask", mask, weight.elements());
    pattern.check(inputs);
    double[] squares = layer.read(columnSquares);
    for (int j = 0; j < squares.length; j++) {
      if (!(squares[j] >= 0)) {
        throw new IllegalArgumentException(
            "columnSquares holds " + squares[j] + " at " + j + ": expected at least 0");
      }
    }
    Matrix w = layer.matrix(weight);
    double[] scores = new double[w.values().length];
    boolean[] kept = new boolean[scores.length];
    int columns = w.columns();
    for (int i = 0; i < w.rows(); i++) {
      for (int j = 0; j < columns; j++) {
        scores[i * columns + j] = Math.abs(w.get(i, j)) * Math.sqrt(squares[j]);
      }
      if (pattern.isGrouped()) {
        for (int at = 0; at < columns; at += pattern.group()) {
          keepBest(scores, kept, i * columns + at, pattern.group(), pattern.pruned());
        }
      } else {
        keepBest(scores, kept, i * columns, columns, (int) (columns * pattern.sparsity()));
      }
    }
    layer.write(score, scores);
    layer.writeMask(mask, kept);
  }

  private static void keepBest(double[] scores, boolean[] kept, int first, int count, int pruned) {
    IntStream.range(first, first + count)
        .boxed()
        .sorted(
            Comparator.comparingDouble((Integer i) -> scores[i])
                .thenComparing(Comparator.reverseOrder()))
        .skip(pruned)
        .forEach(i -> kept[i] = true);
  }
}
