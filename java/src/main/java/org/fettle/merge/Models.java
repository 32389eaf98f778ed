package org.fettle.merge;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.CallChecks;

/** What the merges check of their models before anything is written. */
final class Models {
  private final CallChecks checks;
  private final Tensor first;
  private final Tensor out;

  /** One tensor of every model, and where the result goes: one of the models, or apart. */
  Models(Backend backend, List<Tensor> models, int fewest, Tensor out) {
    Objects.requireNonNull(models, "models");
    Range.check("number of models", models.size(), models.size() >= fewest, ">= " + fewest);
    checks = Access.checks(backend);
    first = Objects.requireNonNull(models.get(0), "model 0");
    this.out = Objects.requireNonNull(out, "out");
    reads("model", models);
    checks.writesLike("out", out, first);
  }

  /** More tensors of the same shape, as many as there are models. */
  Models reads(String name, List<Tensor> tensors, int count) {
    Objects.requireNonNull(tensors, name);
    if (tensors.size() != count) {
      throw new IllegalArgumentException(
          tensors.size() + " tensors " + name + ": expected " + count + ", one per model");
    }
    reads(name, tensors);
    return this;
  }

  /** One more tensor of the same shape. */
  Models reads(String name, Tensor tensor) {
    if (tensor != out) {
      checks.readsLike(name, tensor, first);
    }
    return this;
  }

  /** Refuses overlaps. */
  void done() {
    checks.done();
  }

  private void reads(String name, List<Tensor> tensors) {
    for (int i = 0; i < tensors.size(); i++) {
      reads(name + " " + i, tensors.get(i));
    }
  }

  /** Refuses a list of numbers of another length, or with one that is not finite. */
  static void numbers(String name, double[] numbers, int count) {
    Objects.requireNonNull(numbers, name);
    if (numbers.length != count) {
      throw new IllegalArgumentException(
          numbers.length + " " + name + ": expected " + count + ", one per model");
    }
    for (int i = 0; i < count; i++) {
      Range.finite(name + " " + i, numbers[i]);
    }
  }
}
