package org.fettle.merge;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.DoubleSupplier;
import java.util.stream.IntStream;
import org.fettle.Backend;
import org.fettle.Tensor;

/**
 * Greedy soup (mlfoundations/model-soups, arXiv:2203.05482): models by their own score, best first
 * (the later of equals first); each is tried in the mean, and stays if the score rises strictly. A
 * trial is the mean of its members, formed anew, so that a long soup gathers no rounding.
 *
 * @param order the models by their own score
 * @param ingredients the models that stayed, in the order taken
 * @param score the soup's score
 */
public record GreedySoup(List<Integer> order, List<Integer> ingredients, double score) {
  /** Copies the lists. */
  public GreedySoup {
    order = List.copyOf(order);
    ingredients = List.copyOf(ingredients);
  }

  /**
   * Makes the soup.
   *
   * @param models each a list of tensors; tensor i of every model has the same shape
   * @param scores the models' own held-out scores, higher is better; a NaN comes last
   * @param soup the tensors of the result, apart from the models; each trial is put here
   * @param scorer the held-out score of what {@code soup} holds; a NaN never wins. If it throws,
   *     the soup holds the trial.
   * @throws IllegalArgumentException naming what does not fit, before anything is written
   */
  public static GreedySoup make(
      Backend backend,
      List<List<Tensor>> models,
      double[] scores,
      List<Tensor> soup,
      DoubleSupplier scorer) {
    Objects.requireNonNull(scorer, "scorer");
    check(backend, models, scores, soup);
    double[] own = scores.clone();
    List<Integer> order = new ArrayList<>(IntStream.range(0, models.size()).boxed().toList());
    order.sort(
        Comparator.comparing((Integer model) -> Double.isNaN(own[model]))
            .thenComparing(model -> -own[model])
            .thenComparing(Comparator.reverseOrder()));
    List<Integer> taken = new ArrayList<>(order.subList(0, 1));
    double best = Double.isNaN(own[order.get(0)]) ? Double.NEGATIVE_INFINITY : own[order.get(0)];
    boolean holdsTaken = false;
    for (int model : order.subList(1, order.size())) {
      List<Integer> trial = new ArrayList<>(taken);
      trial.add(model);
      mean(backend, models, trial, soup);
      double score = scorer.getAsDouble();
      holdsTaken = score > best;
      if (holdsTaken) {
        taken = trial;
        best = score;
      }
    }
    if (!holdsTaken) {
      mean(backend, models, taken, soup);
    }
    return new GreedySoup(order, taken, best);
  }

  private static void check(
      Backend backend, List<List<Tensor>> models, double[] scores, List<Tensor> soup) {
    if (models.isEmpty()) {
      throw new IllegalArgumentException("0 models: expected at least 1");
    }
    if (scores.length != models.size()) {
      throw new IllegalArgumentException(
          scores.length + " scores: expected " + models.size() + ", one per model");
    }
    for (int k = 0; k < models.size(); k++) {
      if (models.get(k).size() != soup.size()) {
        throw new IllegalArgumentException(
            "model " + k + " has " + models.get(k).size() + " tensors: expected " + soup.size());
      }
      if (models.get(k).stream().anyMatch(soup::contains)) {
        throw new IllegalArgumentException(
            "model " + k + " has a tensor of the soup: expected separate memory");
      }
    }
    for (int i = 0; i < soup.size(); i++) {
      new Models(backend, column(models, i), 1, soup.get(i)).done();
    }
  }

  private static void mean(
      Backend backend, List<List<Tensor>> models, List<Integer> some, List<Tensor> soup) {
    for (int i = 0; i < soup.size(); i++) {
      int tensor = i;
      List<Tensor> members = some.stream().map(k -> models.get(k).get(tensor)).toList();
      LinearCombination.mean(backend, members, soup.get(i));
    }
  }

  private static List<Tensor> column(List<List<Tensor>> models, int tensor) {
    return models.stream().map(model -> model.get(tensor)).toList();
  }
}
