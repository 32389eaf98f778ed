package org.fettle.demo;

/** Cuts images into mini-batches of normalised floats. */
final class Batches {
  private final Dataset.Images images;
  private final int size;
  private final boolean whole;
  private final int[] order;
  private final float[] inputs;
  private final int[] labels;
  private final float[] scale = new float[256];
  private int loaded;

  /**
   * Mini-batches in the images' own order, until {@link #shuffle}.
   *
   * @param images to cut
   * @param reference the images whose pixels get mean 0 and standard deviation 1
   * @param size images of a mini-batch
   * @param whole whether a smaller last mini-batch is left out
   */
  Batches(Dataset.Images images, Dataset.Images reference, int size, boolean whole) {
    this.images = images;
    this.size = size;
    this.whole = whole;
    order = new int[images.count()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    inputs = new float[size * images.size()];
    labels = new int[size];
    normalise(reference.pixels());
  }

  private void normalise(byte[] pixels) {
    long[] count = new long[256];
    for (byte pixel : pixels) {
      count[pixel & 0xff]++;
    }
    double mean = 0;
    for (int i = 0; i < count.length; i++) {
      mean += (double) count[i] * i / pixels.length;
    }
    double variance = 0;
    for (int i = 0; i < count.length; i++) {
      variance += count[i] * (i - mean) * (i - mean) / pixels.length;
    }
    double deviation = Math.sqrt(Math.max(variance, 1));
    for (int i = 0; i < scale.length; i++) {
      scale[i] = (float) ((i - mean) / deviation);
    }
  }

  Dataset.Images images() {
    return images;
  }

  /** Images of a whole mini-batch. */
  int size() {
    return size;
  }

  /** Mini-batches of one pass. */
  int perEpoch() {
    return whole ? order.length / size : (order.length + size - 1) / size;
  }

  /** Puts the images into another order. */
  void shuffle(SplitMix random) {
    random.shuffle(order);
  }

  /** Loads a mini-batch of the current order. */
  void load(int batch) {
    int from = batch * size;
    loaded = Math.min(size, order.length - from);
    int pixels = images.size();
    for (int i = 0; i < loaded; i++) {
      int image = order[from + i];
      labels[i] = images.label(image);
      scale(images.pixels(), image * pixels, inputs, i * pixels, pixels);
    }
  }

  private void scale(byte[] from, int fromIndex, float[] to, int toIndex, int n) {
    for (int i = 0; i < n; i++) {
      to[toIndex + i] = scale[from[fromIndex + i] & 0xff];
    }
  }

  /** Images of the loaded mini-batch. */
  int loaded() {
    return loaded;
  }

  /** The normalised pixels of the loaded mini-batch. */
  float[] inputs() {
    return inputs;
  }

  /** The classes of the loaded mini-batch. */
  int[] labels() {
    return labels;
  }
}
