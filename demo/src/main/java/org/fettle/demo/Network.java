package org.fettle.demo;

import java.util.ArrayList;
import java.util.List;

/**
 * A multilayer perceptron with ReLUs and softmax cross-entropy. It knows its weights as f32 and
 * nothing of how they are stored or updated.
 */
final class Network {
  private final Dense.Matrix input;
  private final List<Dense> layers = new ArrayList<>();

  /**
   * Makes the layers, all weights 0.
   *
   * @param products how matrices are multiplied
   * @param capacity the largest mini-batch
   * @param widths of the input, the hidden layers and the output
   */
  Network(Products products, int capacity, int... widths) {
    input = Dense.Matrix.of(capacity, widths[0]);
    for (int i = 1; i < widths.length; i++) {
      layers.add(new Dense(products, capacity, widths[i - 1], widths[i], i < widths.length - 1));
    }
  }

  List<Dense> layers() {
    return layers;
  }

  /** Weight and bias of each layer. */
  List<Place> places() {
    List<Place> places = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      places.add(new Place(layers.get(i), i, layers.size(), true));
      places.add(new Place(layers.get(i), i, layers.size(), false));
    }
    return places;
  }

  /** The number of weights and biases. */
  long parameters() {
    return layers.stream()
        .mapToLong(layer -> layer.weight().elements() + layer.bias().elements())
        .sum();
  }

  /** The number of classes. */
  int classes() {
    return last().outputs();
  }

  /** Weights that depend on the seed only. */
  void initialise(long seed) {
    SplitMix random = new SplitMix(seed);
    layers.forEach(layer -> layer.initialise(random));
  }

  /**
   * Runs a mini-batch through all layers.
   *
   * @param images the inputs of n images
   * @return the scores of all classes, image by image, valid until the next call
   */
  float[] forward(float[] images, int n) {
    input.buffer().put(0, images, 0, n * layers.get(0).inputs());
    Dense.Matrix from = input;
    for (Dense layer : layers) {
      layer.forward(from, n);
      from = layer.outputMatrix();
    }
    return last().output();
  }

  /**
   * The mean cross-entropy of the mini-batch that {@link #forward} saw last. Prepares {@link
   * #backward}.
   */
  double loss(int[] labels, int n) {
    int classes = last().outputs();
    float[] scores = last().output();
    float[] delta = last().delta();
    double loss = 0;
    for (int i = 0; i < n; i++) {
      int at = i * classes;
      double highest = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < classes; j++) {
        highest = Math.max(highest, scores[at + j]);
      }
      double sum = 0;
      for (int j = 0; j < classes; j++) {
        double e = StrictMath.exp(scores[at + j] - highest);
        delta[at + j] = (float) e;
        sum += e;
      }
      for (int j = 0; j < classes; j++) {
        delta[at + j] = (float) (delta[at + j] / (sum * n));
      }
      delta[at + labels[i]] -= 1f / n;
      loss += StrictMath.log(sum) + highest - scores[at + labels[i]];
    }
    return loss / n;
  }

  /** Fills the gradients of all layers, for the mini-batch of the last {@link #loss}. */
  void backward(int n) {
    for (int i = layers.size() - 1; i >= 0; i--) {
      Dense before = i == 0 ? null : layers.get(i - 1);
      layers.get(i).backward(before == null ? input : before.outputMatrix(), before, n);
    }
  }

  private Dense last() {
    return layers.get(layers.size() - 1);
  }
}
