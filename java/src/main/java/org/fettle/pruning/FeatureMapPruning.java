package org.fettle.pruning;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Engine;
import org.fettle.internal.Primitive;
import org.fettle.internal.TensorChecks;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;
import org.fettle.sparsity.StructuredMasks;

/**
 * Adversarial feature-map pruning. For every feature map the caller forms the gradient of the
 * distance between the map on clean and on attacked inputs, {@link #attack} makes the inputs of one
 * sign step, and the network's accuracy on them is the map's score; {@link #choose} prunes the maps
 * with the lowest, {@link #zero} clears them.
 *
 * <p>Source: arXiv:2307.11565; retsuh-bqw/FMP (floor(C / 64) maps per layer, inputs in [0, 1]).
 */
public final class FeatureMapPruning {
  private final Backend backend;
  private final Engine engine;

  /** The method on a backend. */
  public FeatureMapPruning(Backend backend) {
    this.backend = Objects.requireNonNull(backend, "backend");
    engine = Access.engine(backend);
  }

  /**
   * One sign step: {@code out = min(max(x + eps sign(g), low), high)}; reads 8 bytes per element
   * and writes 4. NaN stays NaN.
   *
   * @param input F32, BF16 or F16
   * @param gradient of its shape
   * @param eps finite and at least 0
   * @param low finite
   * @param high finite, at least {@code low}
   * @param out of the input's shape; may be the input
   */
  public void attack(
      Tensor input, Tensor gradient, double eps, double low, double high, Tensor out) {
    Range.nonNegative("eps", eps);
    Range.finite("low", low);
    Range.check("high", high, Double.isFinite(high) && high >= low, "finite and at least low");
    CallChecks checks = Access.checks(backend);
    if (out == input) {
      checks.writes("input", input);
    } else {
      checks.reads("input", input).writesLike("out", out, input);
    }
    checks.readsLike("gradient", gradient, input).done();
    Batch.Item item = Batch.Item.of(Primitive.BOUNDED_SIGN_STEP, input, gradient, out);
    try (BatchRunner runner = engine.open(new Batch(List.of(item)))) {
      runner.factor(0, 0, eps);
      runner.factor(0, 1, low);
      runner.factor(0, 2, high);
      runner.run();
    }
  }

  /**
   * The maps of a layer that stay: all but the {@code floor(maps / share)} with the lowest
   * accuracy, of equal ones those with the highest index. NaN stays.
   *
   * @param accuracies F32 [maps]
   * @param share &gt;= 1; 64 in the authors' code
   * @param kept BIT [maps]
   * @return how many maps go
   */
  public long choose(Tensor accuracies, int share, Tensor kept) {
    Range.check("share", share, share >= 1, ">= 1");
    long removed = Objects.requireNonNull(accuracies, "accuracies").elements() / share;
    Selection.on(backend)
        .withKey(Selection.Key.SIGNED)
        .dropSmallest(removed, List.of(accuracies), List.of(kept));
    return removed;
  }

  /**
   * Clears what makes a map: its filter and, where there is one, its normalization weight.
   *
   * @param kept BIT [maps]
   * @param filter [maps, ...]
   * @param mask BIT of the filter's shape, receives the map's bit for every weight
   * @param scale [maps], or null
   */
  public void zero(Tensor kept, Tensor filter, Tensor mask, Tensor scale) {
    TensorChecks checks = new TensorChecks(backend).reads("kept", kept, DType.BIT);
    checks.writes("filter", filter, DType.F32, DType.BF16, DType.F16);
    checks.writes("mask", mask, DType.BIT).like("mask", mask, filter);
    if (scale != null) {
      checks.writes("scale", scale, DType.F32, DType.BF16, DType.F16).like("scale", scale, kept);
    }
    checks.shape("kept", kept, filter.rank() == 0 ? 0 : filter.shape()[0]).done();
    StructuredMasks.on(backend).outputs(kept, mask);
    Masks masks = Masks.on(backend);
    masks.apply(mask, filter, filter);
    if (scale != null) {
      masks.apply(kept, scale, scale);
    }
  }
}
