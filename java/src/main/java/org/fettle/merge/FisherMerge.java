package org.fettle.merge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Engine;
import org.fettle.internal.MergeCalls;
import org.fettle.internal.Norms;
import org.fettle.internal.Primitive;

/**
 * Merging by diagonal Fisher information (mmatena/model_merging, arXiv:2111.09832): {@code sum of
 * c_k F_k w_k / sum of c_k F_k}, element by element. F is the squared gradient, averaged over
 * examples and label probabilities. An element whose weights are all 0 becomes the mean by the c_k
 * alone and is counted; with the target's floor that cannot happen, and such an element keeps the
 * target's value.
 *
 * @param coefficients c_k, finite and &gt;= 0, not all 0
 * @param floor what small F are raised to, finite and &gt;= 0; default 1e-6
 * @param favorsTarget whether only model 0's F are raised, and not everyone's; default true
 * @param normalizes whether c_k is divided by the norm of F_k over the whole model first; default
 *     true
 */
public record FisherMerge(
    List<Double> coefficients, double floor, boolean favorsTarget, boolean normalizes) {
  /** Checks the numbers. */
  public FisherMerge {
    coefficients = List.copyOf(coefficients);
    double sum = 0;
    for (double coefficient : coefficients) {
      Range.nonNegative("coefficient", coefficient);
      sum += coefficient;
    }
    Range.check("sum of the coefficients", sum, sum > 0, "> 0");
    Range.nonNegative("floor", floor);
  }

  /** With equal coefficients for that many models, and the defaults. */
  public FisherMerge(int models) {
    this(equal(models), 1e-6, true, true);
  }

  private static List<Double> equal(int models) {
    Range.check("number of models", models, models >= 1, ">= 1");
    Double[] coefficients = new Double[models];
    Arrays.fill(coefficients, 1.0 / models);
    return Arrays.asList(coefficients);
  }

  /**
   * Merges whole models.
   *
   * @param models each a list of tensors; tensor i of every model has the same shape
   * @param fishers the same of their diagonal Fisher information
   * @param out the tensors of the result; one may be that of a model
   * @return how many elements had no weight at all
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public long merge(
      Backend backend, List<List<Tensor>> models, List<List<Tensor>> fishers, List<Tensor> out) {
    check(backend, models, fishers, out);
    return merge(backend, models, fishers, norms(backend, fishers), out);
  }

  /** As the other, with the norms of {@link #norms}, for models that are merged in parts. */
  long merge(
      Backend backend,
      List<List<Tensor>> models,
      List<List<Tensor>> fishers,
      double[] norms,
      List<Tensor> out) {
    Engine engine = Access.engine(backend);
    int count = coefficients.size();
    double sum = 0;
    for (double coefficient : coefficients) {
      sum += coefficient;
    }
    double[] factors = new double[count];
    double[] plain = new double[count];
    boolean[] floored = new boolean[count];
    for (int k = 0; k < count; k++) {
      // A model without any information has norm 0, and its F count as they are: 0.
      factors[k] =
          normalizes && norms[k] > 0 ? coefficients.get(k) / norms[k] : coefficients.get(k);
      plain[k] = coefficients.get(k) / sum;
      floored[k] = !favorsTarget || k == 0;
    }
    long undecided = 0;
    for (int i = 0; i < out.size(); i++) {
      undecided +=
          MergeCalls.fisher(
              engine,
              column(models, i),
              column(fishers, i),
              factors,
              plain,
              floor,
              floored,
              out.get(i));
    }
    return undecided;
  }

  /** The norm of every model's Fisher information over all its tensors. */
  static double[] norms(Backend backend, List<List<Tensor>> fishers) {
    double[] norms = new double[fishers.size()];
    for (int k = 0; k < norms.length; k++) {
      norms[k] = Math.sqrt(Norms.sum(squares(backend, fishers.get(k))));
    }
    return norms;
  }

  /** The sum of squares of every tensor. */
  static double[] squares(Backend backend, List<Tensor> tensors) {
    List<Batch.Item> items = new ArrayList<>();
    tensors.forEach(tensor -> items.add(Batch.Item.of(Primitive.SQUARE_SUM, tensor)));
    double[] squares = new double[items.size()];
    try (BatchRunner runner = Access.engine(backend).open(new Batch(items))) {
      runner.run();
      for (int i = 0; i < squares.length; i++) {
        squares[i] = runner.sum(i, 0);
      }
    }
    return squares;
  }

  private void check(
      Backend backend, List<List<Tensor>> models, List<List<Tensor>> fishers, List<Tensor> out) {
    Objects.requireNonNull(fishers, "fishers");
    sized("models", models, out.size());
    sized("fishers", fishers, out.size());
    for (int i = 0; i < out.size(); i++) {
      new Models(backend, column(models, i), 1, out.get(i))
          .reads("fisher", column(fishers, i), models.size())
          .done();
    }
  }

  private void sized(String name, List<List<Tensor>> models, int tensors) {
    if (models.size() != coefficients.size()) {
      throw new IllegalArgumentException(
          models.size() + " " + name + ": expected " + coefficients.size() + ", as coefficients");
    }
    for (int k = 0; k < models.size(); k++) {
      if (models.get(k).size() != tensors) {
        throw new IllegalArgumentException(
            name + " " + k + " has " + models.get(k).size() + " tensors: expected " + tensors);
      }
    }
  }

  private static List<Tensor> column(List<List<Tensor>> models, int tensor) {
    return models.stream().map(model -> model.get(tensor)).toList();
  }
}
