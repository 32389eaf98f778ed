package org.fettle.demo;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * An array of unsigned bytes in the IDX format of the MNIST files: two zero bytes, the type 0x08,
 * the number of extents, the extents as big-endian integers, the values. A file whose name ends in
 * {@code .gz} is unpacked on the fly.
 *
 * @param extents how many items, then the shape of one
 * @param values the bytes of all items
 */
@SuppressWarnings("ArrayRecordComponent") // carries data and is never compared
record Idx(int[] extents, byte[] values) {
  private static final int UNSIGNED_BYTES = 8;

  /**
   * Reads a whole file.
   *
   * @param rank the number of extents that is expected: 1 for labels, 3 for images
   * @throws IOException if the file cannot be read or is not such an array; the message names the
   *     file, what was expected and what was found
   */
  static Idx read(Path file, int rank) throws IOException {
    try (InputStream in = open(file)) {
      byte[] header = in.readNBytes(4 + 4 * rank);
      if (header.length < 4) {
        throw wrong(file, "a header of " + (4 + 4 * rank) + " bytes", header.length + " bytes");
      }
      ByteBuffer numbers = ByteBuffer.wrap(header);
      int magic = numbers.getInt();
      int expectedMagic = UNSIGNED_BYTES << 8 | rank;
      if (magic != expectedMagic) {
        throw wrong(
            file,
            String.format("magic number 0x%08x", expectedMagic),
            String.format("0x%08x", magic));
      }
      if (header.length < 4 + 4 * rank) {
        throw wrong(file, "a header of " + (4 + 4 * rank) + " bytes", header.length + " bytes");
      }
      int[] extents = new int[rank];
      long bytes = 1;
      for (int i = 0; i < rank; i++) {
        extents[i] = numbers.getInt();
        if (extents[i] <= 0) {
          throw wrong(file, "extents of at least 1", "extent " + i + " = " + extents[i]);
        }
        // Neither the product of two ints nor that of this bound and an int leaves a long.
        bytes = Math.min(bytes, Integer.MAX_VALUE) * extents[i];
      }
      String what = "values for extents " + Arrays.toString(extents);
      if (bytes > Integer.MAX_VALUE - 8) {
        throw wrong(file, "fewer than 2^31 " + what, "more");
      }
      byte[] values = in.readNBytes((int) bytes);
      if (values.length < bytes) {
        throw wrong(file, bytes + " " + what, String.valueOf(values.length));
      }
      if (in.read() >= 0) {
        throw wrong(file, bytes + " " + what, "more");
      }
      return new Idx(extents, values);
    } catch (EOFException | ZipException e) {
      throw new IOException(file + ": damaged gzip data: " + e.getMessage(), e);
    }
  }

  private static InputStream open(Path file) throws IOException {
    InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    if (!file.getFileName().toString().endsWith(".gz")) {
      return in;
    }
    try {
      return new GZIPInputStream(in, 1 << 16);
    } catch (IOException e) {
      in.close();
      throw e;
    }
  }

  private static IOException wrong(Path file, String expected, String actual) {
    return new IOException(file + ": expected " + expected + ", found " + actual);
  }
}
