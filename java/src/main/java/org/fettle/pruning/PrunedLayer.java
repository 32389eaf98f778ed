package org.fettle.pruning;

import java.util.List;
import java.util.Objects;
import org.fettle.Tensor;

/**
 * One tensor that is trained under a mask.
 *
 * @param weight F32, BF16 or F16
 * @param mask BIT of its shape: 1 where a weight is alive
 * @param momentum the optimizer's momentum of its shape and format, such as {@code plan.state(i,
 *     "momentum")}; null where the method needs none
 * @param gradient the dense gradient of its shape and format; null where the method needs none
 */
public record PrunedLayer(Tensor weight, Tensor mask, Tensor momentum, Tensor gradient) {
  /** Checks that weight and mask are there. */
  public PrunedLayer {
    Objects.requireNonNull(weight, "weight");
    Objects.requireNonNull(mask, "mask");
  }

  /** Refuses layers without what a method needs. */
  static void check(List<PrunedLayer> layers, boolean momentum, boolean gradient) {
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("there are no layers: expected at least one");
    }
    for (int i = 0; i < layers.size(); i++) {
      if (momentum && layers.get(i).momentum == null) {
        throw new IllegalArgumentException("layer " + i + " has no momentum: expected one");
      }
      if (gradient && layers.get(i).gradient == null) {
        throw new IllegalArgumentException("layer " + i + " has no gradient: expected a dense one");
      }
    }
  }
}
