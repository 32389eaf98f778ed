package org.fettle.pruning;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.TensorChecks;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;

/**
 * Progressive pruning with re-activation: at intervals all weights together are pruned by magnitude
 * in one shot, but they keep their values under the masks; {@link #reactivate} sets the masks back
 * to 1 before training goes on, and what was pruned lives on with its old value. Nothing is decided
 * before the last {@link #prune}.
 *
 * <p>Source: SuperTickets, arXiv:2207.03677; GATECH-EIC/SuperTickets, whose "set to zero" has no
 * effect either.
 */
public final class SuperTicket {
  private final Backend backend;
  private final Masks masks;

  /** The method on a backend. */
  public SuperTicket(Backend backend) {
    this.backend = Objects.requireNonNull(backend, "backend");
    masks = Masks.on(backend);
  }

  /**
   * The masks of the {@code n - floor(sparsity n)} largest magnitudes of all tensors together;
   * weights are only read.
   *
   * @param sparsity share that is pruned, in [0, 1]
   * @param weights F32, BF16 or F16 tensors of one format
   * @param newMasks BIT tensors of their shapes
   */
  public Selection.Outcome prune(double sparsity, List<Tensor> weights, List<Tensor> newMasks) {
    Range.check("sparsity", sparsity, sparsity >= 0 && sparsity <= 1, "in [0, 1]");
    Selection all = Selection.on(backend);
    long elements = weights.stream().mapToLong(Tensor::elements).sum();
    return all.dropSmallest((long) Math.floor(sparsity * elements), weights, newMasks);
  }

  /**
   * What a forward pass sees: the weights under the masks, in other memory, so that pruned weights
   * keep their values.
   *
   * @param views of the weights' shapes and formats
   * @throws IllegalArgumentException if a view is a weight, or the lists differ in length
   */
  public void view(List<Tensor> weights, List<Tensor> givenMasks, List<Tensor> views) {
    if (weights.size() != givenMasks.size() || weights.size() != views.size()) {
      throw new IllegalArgumentException(
          weights.size()
              + " weights, "
              + givenMasks.size()
              + " masks, "
              + views.size()
              + " views: expected as many of each");
    }
    TensorChecks checks = new TensorChecks(backend);
    for (int i = 0; i < weights.size(); i++) {
      Tensor weight = weights.get(i);
      checks.reads("weight " + i, weight, DType.F32, DType.BF16, DType.F16);
      checks
          .reads("mask " + i, givenMasks.get(i), DType.BIT)
          .like("mask " + i, givenMasks.get(i), weight);
      checks
          .writes("view " + i, views.get(i), weight.dtype())
          .like("view " + i, views.get(i), weight);
    }
    checks.done();
    for (int i = 0; i < weights.size(); i++) {
      masks.apply(givenMasks.get(i), weights.get(i), views.get(i));
    }
  }

  /** Everything lives again. */
  public void reactivate(List<Tensor> givenMasks) {
    TensorChecks checks = new TensorChecks(backend);
    for (int i = 0; i < givenMasks.size(); i++) {
      checks.writes("mask " + i, givenMasks.get(i), DType.BIT);
    }
    checks.done();
    givenMasks.forEach(mask -> masks.fill(mask, true));
  }
}
