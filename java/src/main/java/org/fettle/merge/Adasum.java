package org.fettle.merge;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;
import org.fettle.internal.Primitive;

/**
 * Adasum (arXiv:2006.02924, as recalled): {@code (1 - a.b / (2 |a|^2)) a + (1 - a.b / (2 |b|^2))
 * b}. Equal vectors give that vector, orthogonal ones their sum; a zero vector counts with factor
 * 1. More than two are combined by a tree of neighbours: (0, 1), (2, 3), ..., then their results.
 */
public final class Adasum {
  private Adasum() {}

  /**
   * Combines vectors.
   *
   * @param vectors tensors of one shape, at least one
   * @param out of the same shape; may be one of the vectors
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public static void combine(Backend backend, List<Tensor> vectors, Tensor out) {
    new Models(backend, vectors, 1, out).done();
    Engine engine = Access.engine(backend);
    List<Tensor> scratch = new ArrayList<>();
    try {
      List<Tensor> level = new ArrayList<>(vectors);
      while (level.size() > 2) {
        List<Tensor> next = new ArrayList<>();
        for (int i = 0; i + 1 < level.size(); i += 2) {
          Tensor to = engine.allocate(DType.F32, out.shape(), scratch.size());
          scratch.add(to);
          pair(engine, level.get(i), level.get(i + 1), to);
          next.add(to);
        }
        if (level.size() % 2 == 1) {
          next.add(level.get(level.size() - 1));
        }
        level = next;
      }
      if (level.size() == 2) {
        pair(engine, level.get(0), level.get(1), out);
      } else {
        MergeCalls.combine(engine, level, new double[] {1.0}, 0.0, out);
      }
    } finally {
      scratch.forEach(engine::release);
    }
  }

  private static void pair(Engine engine, Tensor a, Tensor b, Tensor out) {
    double product;
    double ofA;
    double ofB;
    List<Batch.Item> items = List.of(Batch.Item.of(Primitive.PROJECTION_SUMS, a, b));
    try (BatchRunner sums = engine.open(new Batch(items))) {
      sums.run();
      product = sums.sum(0, 0);
      ofA = sums.sum(0, 1);
      ofB = sums.sum(0, 2);
    }
    double[] factors = {
      ofA == 0 ? 1 : 1 - product / (2 * ofA), ofB == 0 ? 1 : 1 - product / (2 * ofB)
    };
    MergeCalls.combine(engine, List.of(a, b), factors, 0.0, out);
  }
}
