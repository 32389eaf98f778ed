package org.fettle.demo;

import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPOutputStream;

/** A tiny data set: noisy images, each class with a bright stripe of its own. */
final class Toy {
  static final int HEIGHT = 5;
  static final int WIDTH = 8;
  static final int CLASSES = 4;

  private Toy() {}

  static Dataset dataset() {
    return new Dataset(
        "toys", images(1024, 1), images(200, 2), List.of("one", "two", "three", "four"));
  }

  static Dataset.Images images(int count, long seed) {
    SplitMix random = new SplitMix(seed);
    byte[] pixels = new byte[count * HEIGHT * WIDTH];
    byte[] labels = new byte[count];
    for (int i = 0; i < count; i++) {
      labels[i] = (byte) random.below(CLASSES);
      for (int j = 0; j < HEIGHT * WIDTH; j++) {
        boolean bright = j / WIDTH == labels[i];
        pixels[i * HEIGHT * WIDTH + j] = (byte) (random.below(128) + (bright ? 100 : 0));
      }
    }
    return new Dataset.Images(HEIGHT, WIDTH, pixels, labels);
  }

  /** Writes the four files, the images packed and the labels plain. */
  static void write(Path folder) throws IOException {
    for (String part : List.of("train", "t10k")) {
      Dataset.Images images = part.equals("train") ? dataset().train() : dataset().test();
      write(
          folder.resolve(part + "-images-idx3-ubyte.gz"),
          0x803,
          images.pixels(),
          images.count(),
          HEIGHT,
          WIDTH);
      write(folder.resolve(part + "-labels-idx1-ubyte"), 0x801, images.labels(), images.count());
    }
  }

  static void write(Path file, int magic, byte[] values, int... extents) throws IOException {
    OutputStream plain = Files.newOutputStream(file);
    try (DataOutputStream out =
        new DataOutputStream(
            file.toString().endsWith(".gz") ? new GZIPOutputStream(plain) : plain)) {
      out.writeInt(magic);
      for (int extent : extents) {
        out.writeInt(extent);
      }
      out.write(values);
    }
  }
}
