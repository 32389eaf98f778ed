package org.fettle.examples.distributed;

import java.nio.FloatBuffer;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.fettle.demo.Dataset;

/** A small classifier of images, by libtorch, on parameters and gradients in flat buffers. */
final class Model {
  private static final int HIDDEN = 64;

  private final Dataset.Images images;
  private final int classes;

  Model(Dataset data) {
    images = data.train();
    classes = data.classes().size();
  }

  /** Elements of the parameters: weights and biases of two layers. */
  long[] sizes() {
    return new long[] {(long) HIDDEN * images.size(), HIDDEN, (long) classes * HIDDEN, classes};
  }

  /** He's uniform weights from a seed, biases 0. */
  void initialise(FloatBuffer flat, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] fanIn = {images.size(), 0, HIDDEN, 0};
    int at = 0;
    for (int i = 0; i < fanIn.length; i++) {
      double bound = fanIn[i] == 0 ? 0 : Math.sqrt(6.0 / fanIn[i]);
      for (long n = sizes()[i]; n > 0; n--) {
        flat.put(at++, (float) ((2 * random.nextDouble() - 1) * bound));
      }
    }
  }

  /**
   * The mean loss and its gradient on some images.
   *
   * @param flat the parameters, and as many gradients, which are replaced
   * @param first number of the first image; counted round
   */
  double gradient(FloatPointer flat, FloatPointer gradients, int first, int count) {
    PointerScope scope = new PointerScope();
    try {
      long[] sizes = sizes();
      long[][] shapes = {{HIDDEN, images.size()}, {HIDDEN}, {classes, HIDDEN}, {classes}};
      Tensor[] parameter = new Tensor[shapes.length];
      long at = 0;
      for (int i = 0; i < shapes.length; i++) {
        parameter[i] = view(flat, at, shapes[i]).requires_grad_(true);
        Tensor gradient = view(gradients, at, shapes[i]);
        gradient.zero_();
        parameter[i].mutable_grad().put(gradient);
        at += sizes[i];
      }
      Tensor x = inputs(first, count);
      Tensor hidden = torch.relu(torch.addmm(parameter[1], x, parameter[0].t()));
      Tensor scores = torch.addmm(parameter[3], hidden, parameter[2].t());
      Tensor loss = torch.cross_entropy_loss(scores, labels(first, count));
      loss.backward();
      return loss.item_double();
    } finally {
      scope.close();
    }
  }

  private static Tensor view(FloatPointer flat, long at, long... shape) {
    return torch.from_blob(
        new Pointer(flat.getPointer(at)), shape, new TensorOptions(torch.ScalarType.Float));
  }

  private Tensor inputs(int first, int count) {
    int size = images.size();
    float[] pixels = new float[count * size];
    for (int i = 0; i < count; i++) {
      int from = (first + i) % images.count() * size;
      for (int k = 0; k < size; k++) {
        pixels[i * size + k] = (images.pixels()[from + k] & 0xff) / 255f - 0.5f;
      }
    }
    return torch
        .from_blob(
            new FloatPointer(pixels),
            new long[] {count, size},
            new TensorOptions(torch.ScalarType.Float))
        .clone();
  }

  private Tensor labels(int first, int count) {
    long[] labels = new long[count];
    for (int i = 0; i < count; i++) {
      labels[i] = images.label((first + i) % images.count());
    }
    return torch
        .from_blob(
            new LongPointer(labels), new long[] {count}, new TensorOptions(torch.ScalarType.Long))
        .clone();
  }
}
