package org.fettle.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Images with labels, for training and for the test.
 *
 * @param name what the data are called
 * @param train the images to learn from
 * @param test the images to be judged by
 * @param classes the names of the classes, in the order of the labels
 */
public record Dataset(String name, Images train, Images test, List<String> classes) {
  private static final List<String> FASHION =
      List.of(
          "T-shirt",
          "Trousers",
          "Pullover",
          "Dress",
          "Coat",
          "Sandal",
          "Shirt",
          "Sneaker",
          "Bag",
          "Ankle boot");
  private static final byte[] FASHION_STARTS_WITH = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5};

  /**
   * Grey images of one size.
   *
   * @param height rows of an image
   * @param width columns of an image
   * @param pixels all images, one after the other, unsigned
   * @param labels the class of each image, unsigned
   */
  @SuppressWarnings("ArrayRecordComponent") // carries data and is never compared
  public record Images(int height, int width, byte[] pixels, byte[] labels) {
    /** How many there are. */
    public int count() {
      return labels.length;
    }

    /** Pixels of one. */
    public int size() {
      return height * width;
    }

    /** The class of an image. */
    public int label(int image) {
      return labels[image] & 0xff;
    }
  }

  /** Whether the folder has the four files of an MNIST-like data set. */
  static boolean isIn(Path folder) {
    return Files.isDirectory(folder)
        && List.of("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
            .stream()
            .allMatch(stem -> file(folder, stem) != null);
  }

  /**
   * Reads the four files of an MNIST-like data set, plain or {@code .gz}.
   *
   * @throws IOException if a file is missing, damaged, or does not fit the others
   */
  public static Dataset read(Path folder) throws IOException {
    Images train = images(folder, "train");
    Images test = images(folder, "t10k");
    if (test.height() != train.height() || test.width() != train.width()) {
      throw new IOException(
          folder
              + ": expected test images of "
              + train.height()
              + " x "
              + train.width()
              + " as for training, found "
              + test.height()
              + " x "
              + test.width());
    }
    int classes = 1 + Math.max(highest(train), highest(test));
    boolean fashion =
        classes == FASHION.size()
            && train.count() >= FASHION_STARTS_WITH.length
            && Arrays.equals(
                Arrays.copyOf(train.labels(), FASHION_STARTS_WITH.length), FASHION_STARTS_WITH);
    return fashion
        ? new Dataset("Fashion-MNIST", train, test, FASHION)
        : new Dataset(
            String.valueOf(folder.toAbsolutePath().normalize().getFileName()),
            train,
            test,
            IntStream.range(0, classes).mapToObj(String::valueOf).toList());
  }

  private static Images images(Path folder, String part) throws IOException {
    Path imageFile = require(folder, part + "-images-idx3");
    Path labelFile = require(folder, part + "-labels-idx1");
    Idx images = Idx.read(imageFile, 3);
    Idx labels = Idx.read(labelFile, 1);
    if (labels.extents()[0] != images.extents()[0]) {
      throw new IOException(
          labelFile
              + ": expected "
              + images.extents()[0]
              + " labels, one for each image of "
              + imageFile.getFileName()
              + ", found "
              + labels.extents()[0]);
    }
    return new Images(images.extents()[1], images.extents()[2], images.values(), labels.values());
  }

  private static Path require(Path folder, String stem) throws IOException {
    Path file = file(folder, stem);
    if (file == null) {
      throw new IOException(
          folder + ": expected a file " + stem + "-ubyte or " + stem + "-ubyte.gz, found neither");
    }
    return file;
  }

  private static Path file(Path folder, String stem) {
    for (String suffix : List.of("-ubyte", "-ubyte.gz")) {
      if (Files.isRegularFile(folder.resolve(stem + suffix))) {
        return folder.resolve(stem + suffix);
      }
    }
    return null;
  }

  private static int highest(Images images) {
    int highest = 0;
    for (int i = 0; i < images.count(); i++) {
      highest = Math.max(highest, images.label(i));
    }
    return highest;
  }
}
