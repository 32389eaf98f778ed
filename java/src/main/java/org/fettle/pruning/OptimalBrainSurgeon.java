package org.fettle.pruning;

import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.algebra.Matrix;

/**
 * Optimal Brain Surgeon with WoodFisher's inverse: prunes the one weight whose loss costs least,
 * and moves the others to make up for it.
 *
 * <pre>
 * Q = I / damping ;  for every gradient g of m:  Q = Q - (Q g)(Q g)' / (m + g' Q g)
 * score = w^2 / (2 Q_qq) ;  w = w - (w_q / Q_qq) Q[:, q], w_q = 0
 * </pre>
 *
 * <p>In double: at a damping of 1e-5 the recursion loses four digits. n^2 doubles of memory and n^2
 * per gradient. Source: Singh and Alistarh, arXiv:2004.14340; Hassibi and Stork, 1992.
 */
public final class OptimalBrainSurgeon {
  private final Layer layer;
  private final double damping;

  /**
   * A solver for tensors of that backend.
   *
   * @param damping more than 0
   */
  public OptimalBrainSurgeon(Backend backend, double damping) {
    Range.positive("damping", damping);
    this.damping = damping;
    layer = new Layer(backend);
  }

  /**
   * Prunes one weight.
   *
   * @param weight n weights: F32, F64, BF16 or F16; replaced
   * @param gradients m x n, of single examples
   * @param inverse receives Q: n x n, or null
   * @param score receives the scores: n, or null
   * @return the index of the pruned weight: the lowest score, the lowest index among equals; -1 if
   *     there are no weights
   */
  public int prune(
      Tensor weight, Tensor gradients, Tensor inverse, Tensor score, Progress progress) {
    layer.values("weight", weight);
    long n = weight.elements();
    layer.check("gradients", gradients, -1, n);
    if (inverse != null) {
      layer.check("inverse", inverse, n, n);
    }
    if (score != null) {
      layer.values("score", score);
      if (score.elements() != n) {
        throw new IllegalArgumentException("score is " + score + ": expected " + n + " elements");
      }
    }
    Range.check("weight elements", n, n <= 46_340, "<= 46340, for n^2 numbers");
    double[] w = layer.read(weight);
    Matrix q = inverse(layer.matrix(gradients), progress);
    double[] scores = new double[w.length];
    int least = -1;
    for (int i = 0; i < w.length; i++) {
      scores[i] = w[i] * w[i] / (2 * q.get(i, i));
      if (least < 0 || scores[i] < scores[least]) {
        least = i;
      }
    }
    if (least >= 0) {
      double factor = w[least] / q.get(least, least);
      for (int i = 0; i < w.length; i++) {
        w[i] = i == least ? 0 : w[i] - factor * q.get(i, least);
      }
    }
    if (inverse != null) {
      layer.write(inverse, q.values());
    }
    if (score != null) {
      layer.write(score, scores);
    }
    layer.write(weight, w);
    return least;
  }

  private Matrix inverse(Matrix gradients, Progress progress) {
    int n = gradients.columns();
    int m = gradients.rows();
    Matrix q = Matrix.diagonal(n, 1 / damping);
    double[] values = q.values();
    double[] product = new double[n];
    for (int s = 0; s < m; s++) {
      double denominator = m;
      for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++) {
          sum += values[i * n + j] * gradients.get(s, j);
        }
        product[i] = sum;
        denominator += gradients.get(s, i) * sum;
      }
      for (int i = 0; i < n; i++) {
        double factor = product[i] / denominator;
        for (int j = 0; j < n; j++) {
          values[i * n + j] -= factor * product[j];
        }
      }
      progress.at(s + 1, m, denominator - m);
    }
    return q;
  }
}
