package org.fettle.demo;

import java.nio.FloatBuffer;
import java.util.IdentityHashMap;
import java.util.List;
import org.fettle.Tensor;

/** Tests a network on the images that it does not learn from. */
final class Tester {
  private final Batches images;
  private final Network network;
  private final int[] predictions;

  Tester(Batches images, Network network) {
    this.images = images;
    this.network = network;
    predictions = new int[images.images().count()];
  }

  /** Tests the views, or what the recipe wants tested in their place. Returns the mean loss. */
  double test(Recipe recipe, List<Slot> slots) {
    IdentityHashMap<Tensor, float[]> kept = new IdentityHashMap<>();
    for (Slot slot : slots) {
      Tensor tested = recipe.tested(slot.parameter());
      if (tested != null) {
        kept.put(slot.view(), values(slot.view()));
        slot.view().buffer().put(tested.buffer());
      }
    }
    double sum = 0;
    for (int i = 0; i < images.perEpoch(); i++) {
      images.load(i);
      float[] scores = network.forward(images.inputs(), images.loaded());
      sum += network.loss(images.labels(), images.loaded()) * images.loaded();
      for (int j = 0; j < images.loaded(); j++) {
        predictions[i * images.size() + j] =
            highest(scores, j * network.classes(), network.classes());
      }
    }
    kept.forEach((view, values) -> view.buffer().asFloatBuffer().put(values));
    return sum / predictions.length;
  }

  /** The share of the last test that was right. */
  double accuracy() {
    int right = 0;
    for (int i = 0; i < predictions.length; i++) {
      right += predictions[i] == images.images().label(i) ? 1 : 0;
    }
    return (double) right / predictions.length;
  }

  /** The class given to each image in the last test. */
  int[] predictions() {
    return predictions.clone();
  }

  static float[] values(Tensor tensor) {
    FloatBuffer buffer = tensor.buffer().asFloatBuffer();
    float[] values = new float[buffer.remaining()];
    buffer.get(values);
    return values;
  }

  private static int highest(float[] scores, int from, int n) {
    int highest = 0;
    for (int i = 1; i < n; i++) {
      if (scores[from + i] > scores[from + highest]) {
        highest = i;
      }
    }
    return highest;
  }
}
