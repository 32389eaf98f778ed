package org.fettle.merge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;
import org.fettle.internal.Primitive;

/**
 * MoNNA, the mean of the nearest neighbours (LPD-EPFL/robust-collaborative-learning,
 * arXiv:2209.10931): of N received vectors the N - f nearest to the own one are averaged, the own
 * one included. Equal distances keep the order of the vectors. A vector whose distance is NaN comes
 * last.
 *
 * <p>Distances are formed from differences in float, summed in double.
 */
public final class Monna {
  private Monna() {}

  /**
   * Averages the nearest vectors.
   *
   * @param vectors tensors of one shape; the own one is {@code self}
   * @param faulty f, how many to leave out, in [0, N)
   * @param self the own vector's number
   * @param out of the same shape; may be one of the vectors
   * @return every vector's distance from the own one
   * @throws IllegalArgumentException naming what does not fit, or if fewer than N - f distances are
   *     finite; nothing is written then
   */
  public static double[] mean(
      Backend backend, List<Tensor> vectors, int faulty, int self, Tensor out) {
    new Models(backend, vectors, 1, out).done();
    int count = vectors.size();
    Range.check("faulty", faulty, faulty >= 0 && faulty < count, "in [0, " + count + ")");
    Range.check("self", self, self >= 0 && self < count, "in [0, " + count + ")");
    Engine engine = Access.engine(backend);
    double[] distances = distances(engine, vectors, vectors.get(self));
    int[] nearest =
        IntStream.range(0, count)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer k) -> distances[k]))
            .limit(count - faulty)
            .mapToInt(Integer::intValue)
            .sorted()
            .toArray();
    for (int k : nearest) {
      if (!Double.isFinite(distances[k])) {
        throw new IllegalArgumentException(
            "vector "
                + k
                + " is at distance "
                + distances[k]
                + ": expected "
                + nearest.length
                + " finite distances");
      }
    }
    double[] coefficients = new double[nearest.length];
    Arrays.fill(coefficients, 1.0 / nearest.length);
    List<Tensor> chosen = Arrays.stream(nearest).mapToObj(vectors::get).toList();
    MergeCalls.combine(engine, chosen, coefficients, 0.0, out);
    return distances;
  }

  private static double[] distances(Engine engine, List<Tensor> vectors, Tensor own) {
    List<Batch.Item> items = new ArrayList<>();
    vectors.forEach(vector -> items.add(Batch.Item.of(Primitive.PROXY_SUMS, own, vector)));
    double[] distances = new double[items.size()];
    try (BatchRunner sums = engine.open(new Batch(items))) {
      sums.run();
      for (int k = 0; k < distances.length; k++) {
        distances[k] = Math.sqrt(sums.sum(k, 1));
      }
    }
    return distances;
  }
}
