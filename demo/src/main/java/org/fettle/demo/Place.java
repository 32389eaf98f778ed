package org.fettle.demo;

import org.fettle.Tensor;

/**
 * A parameter of the network: the weight or the bias of a layer.
 *
 * @param layer the layer
 * @param number of the layer, from 0
 * @param layers how many there are
 * @param isWeight whether it is the weight
 */
record Place(Dense layer, int number, int layers, boolean isWeight) {
  /** What the network reads, in f32. */
  Tensor view() {
    return isWeight ? layer.weight() : layer.bias();
  }

  /** What the network's backward pass writes: the gradient of the view. */
  Tensor gradient() {
    return isWeight ? layer.weightGradient() : layer.biasGradient();
  }

  /** Whether it is a weight before the last layer, whose units can be spared. */
  boolean isHiddenWeight() {
    return isWeight && number < layers - 1;
  }
}
