package org.fettle.pruning;

import java.util.List;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Gradients;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.sparsity.Masks;
import org.fettle.sparsity.Selection;

/** The moves that methods with changing masks are made of. */
final class MaskUpdates {
  final Backend backend;
  private final Masks masks;
  private final Selection selection;

  MaskUpdates(Backend backend) {
    this.backend = backend;
    masks = Masks.on(backend);
    selection = Selection.on(backend);
  }

  /** How many weights of a layer are alive. */
  long alive(PrunedLayer layer) {
    return masks.count(layer.mask());
  }

  /** Dead weights become +0. */
  void maskWeight(PrunedLayer layer) {
    masks.apply(layer.mask(), layer.weight(), layer.weight());
  }

  /** Dead weights and their momentum become +0. */
  void maskAll(PrunedLayer layer) {
    maskWeight(layer);
    if (layer.momentum() != null) {
      masks.apply(layer.mask(), layer.momentum(), layer.momentum());
    }
  }

  /** Of all layers' weights only those above the k-th largest magnitude stay. */
  void keepAbove(long k, List<PrunedLayer> layers) {
    selection
        .withTies(Selection.Ties.NONE)
        .keepLargest(
            k,
            layers.stream().map(PrunedLayer::weight).toList(),
            layers.stream().map(PrunedLayer::mask).toList());
  }

  /** The smallest {@code count} of the layer's alive weights die. */
  void dropSmallest(long count, PrunedLayer layer) {
    List<Tensor> mask = List.of(layer.mask());
    selection.inside(mask).dropSmallest(count, List.of(layer.weight()), mask);
  }

  /** The {@code count} dead weights of the largest score, by magnitude, come alive. */
  void grow(long count, Tensor score, PrunedLayer layer) {
    if (count == 0) {
      return;
    }
    Engine engine = Access.engine(backend);
    Tensor grown = engine.allocate(DType.BIT, layer.mask().shape(), 0);
    try {
      selection.outside(List.of(layer.mask())).keepLargest(count, List.of(score), List.of(grown));
      masks.or(layer.mask(), grown, layer.mask());
    } finally {
      engine.release(grown);
    }
  }

  /** The mean magnitude of a tensor where the layer's weights are alive; 0 where none is. */
  double meanAlive(Tensor values, PrunedLayer layer) {
    long alive = alive(layer);
    if (alive == 0) {
      return 0;
    }
    Engine engine = Access.engine(backend);
    Tensor masked = engine.allocate(values.dtype(), values.shape(), 0);
    Tensor view =
        masked.buffer() != null
            ? masked
            : Tensor.ofAddress(
                masked.address(),
                masked.bytes(),
                masked,
                masked.device(),
                masked.dtype(),
                masked.shape());
    try {
      masks.apply(layer.mask(), values, view);
      return Gradients.on(backend).norm(Gradients.Norm.ONE, List.of(view)) / alive;
    } finally {
      engine.release(masked);
    }
  }

  /** {@code least + (first - least) (1 + cos(pi t / horizon)) / 2}. */
  static double cosine(double first, double least, double step, double horizon) {
    return least + (first - least) * (1 + Math.cos(Math.PI * step / horizon)) / 2;
  }
}
