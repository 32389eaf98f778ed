package org.fettle.sparsity;

import java.util.Comparator;
import java.util.Objects;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Scratch;
import org.fettle.internal.TensorChecks;

/**
 * Scores of the edges of a graph by degrees (TEDDY, arXiv:2402.01261): {@code (h_u / d_u) (h_v /
 * d_v)} with {@code h_u} the mean of {@code d^-1/2} over the neighbours of u. Both directions of an
 * edge are entries of their own.
 */
public final class EdgeScores {
  private final Backend backend;

  private EdgeScores(Backend backend) {
    this.backend = backend;
  }

  /** Scores on a backend. */
  public static EdgeScores on(Backend backend) {
    return new EdgeScores(Objects.requireNonNull(backend, "backend"));
  }

  /**
   * The score of every edge; a node without edges gives 0.
   *
   * @param nodes how many there are
   * @param rows I32 [edges], where each edge starts
   * @param columns I32 [edges], where it ends
   */
  public double[] scores(int nodes, Tensor rows, Tensor columns) {
    Range.check("nodes", nodes, nodes >= 0, ">= 0");
    TensorChecks checks = new TensorChecks(backend).reads("rows", rows, DType.I32);
    checks.rank("rows", rows, 1);
    checks.reads("columns", columns, DType.I32).like("columns", columns, rows);
    Engine engine = checks.done();
    int[] from = Scratch.ints(engine, rows);
    int[] to = Scratch.ints(engine, columns);
    int[] degree = new int[nodes];
    for (int i = 0; i < from.length; i++) {
      inside("rows", from[i], nodes);
      inside("columns", to[i], nodes);
      degree[from[i]]++;
    }
    double[] flow = new double[nodes];
    for (int i = 0; i < from.length; i++) {
      flow[from[i]] += degree[to[i]] == 0 ? 0 : 1 / Math.sqrt(degree[to[i]]);
    }
    for (int u = 0; u < nodes; u++) {
      flow[u] = degree[u] == 0 ? 0 : flow[u] / degree[u] / degree[u];
    }
    double[] scores = new double[from.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = flow[from[i]] * flow[to[i]];
    }
    return scores;
  }

  /**
   * Removes the {@code floor(edges * fraction)} edges of the lowest score, of equal ones the last.
   * Loops from a node to itself pass for the largest score.
   *
   * @param fraction 0 to 1
   * @param scores as {@link #scores} gave them
   * @param keep BIT [edges]
   */
  public void prune(double fraction, double[] scores, Tensor rows, Tensor columns, Tensor keep) {
    TensorChecks checks = new TensorChecks(backend).reads("rows", rows, DType.I32);
    checks.shape("rows", rows, scores.length);
    checks.reads("columns", columns, DType.I32).like("columns", columns, rows);
    checks.writes("keep", keep, DType.BIT).like("keep", keep, rows);
    int kept = scores.length - (int) Fraction.FLOOR.of(fraction, scores.length);
    Engine engine = checks.done();
    int[] from = Scratch.ints(engine, rows);
    int[] to = Scratch.ints(engine, columns);
    double largest = 0;
    for (double score : scores) {
      largest = Math.max(largest, score);
    }
    double[] ranked = scores.clone();
    for (int i = 0; i < ranked.length; i++) {
      ranked[i] = from[i] == to[i] ? largest : ranked[i];
    }
    byte[] bits = new byte[Math.toIntExact(keep.bytes())];
    IntStream.range(0, ranked.length)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> -ranked[i]))
        .limit(kept)
        .forEach(i -> bits[i / 8] |= (byte) (1 << i % 8));
    Scratch.write(engine, keep, bits);
  }

  private static void inside(String name, int node, int nodes) {
    if (node < 0 || node >= nodes) {
      throw new IllegalArgumentException(
          name + " has node " + node + ": expected 0 to " + (nodes - 1));
    }
  }
}
