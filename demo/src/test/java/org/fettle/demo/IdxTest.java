package org.fettle.demo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxTest {
  @TempDir Path folder;

  @Test
  void plainAndPackedFilesHoldTheSame() throws IOException {
    byte[] values = {1, 2, 3, 4, 5, (byte) 200};
    for (String name : List.of("a", "a.gz")) {
      Path file = folder.resolve(name);
      Toy.write(file, 0x803, values, 1, 2, 3);
      Idx idx = Idx.read(file, 3);
      assertArrayEquals(new int[] {1, 2, 3}, idx.extents());
      assertArrayEquals(values, idx.values());
    }
  }

  @Test
  void wrongMagicNumber() throws IOException {
    Path file = folder.resolve("labels");
    Toy.write(file, 0x801, new byte[20], 20);
    refused(file, 3, "expected magic number 0x00000803, found 0x00000801");
    Toy.write(file, 0xd03, new byte[24], 1, 2, 3);
    refused(file, 3, "expected magic number 0x00000803, found 0x00000d03");
  }

  @Test
  void shortHeader() throws IOException {
    Path file = folder.resolve("short");
    Files.write(file, new byte[0]);
    refused(file, 1, "expected a header of 8 bytes, found 0 bytes");
    Toy.write(file, 0x803, new byte[0], 7);
    refused(file, 3, "expected a header of 16 bytes, found 8 bytes");
  }

  @Test
  void extentsThatNoFileHas() throws IOException {
    Path file = folder.resolve("extents");
    Toy.write(file, 0x803, new byte[4], 1, 0, 4);
    refused(file, 3, "expected extents of at least 1, found extent 1 = 0");
    Toy.write(file, 0x803, new byte[4], 1, -1, 4);
    refused(file, 3, "found extent 1 = -1");
    Toy.write(file, 0x803, new byte[4], 1 << 30, 1 << 30, 1 << 30);
    refused(file, 3, "expected fewer than 2^31 values");
    // No memory is taken for what only the header claims.
    Toy.write(file, 0x803, new byte[4], 2_000_000_000, 1, 1);
    refused(file, 3, "expected 2000000000 values for extents [2000000000, 1, 1], found 4");
  }

  @Test
  void tooFewAndTooManyValues() throws IOException {
    for (String name : List.of("b", "b.gz")) {
      Path file = folder.resolve(name);
      Toy.write(file, 0x801, new byte[9], 10);
      refused(file, 1, "expected 10 values for extents [10], found 9");
      Toy.write(file, 0x801, new byte[11], 10);
      refused(file, 1, "expected 10 values for extents [10], found more");
    }
  }

  @Test
  void damagedGzip() throws IOException {
    Path file = folder.resolve("c.gz");
    Toy.write(file, 0x801, new byte[1000], 1000);
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
    refused(file, 1, "damaged gzip data");
    Files.write(file, new byte[] {'n', 'o', ' ', 'g', 'z', 'i', 'p', '!', '!', '!'});
    refused(file, 1, "damaged gzip data");
    bytes[bytes.length - 6] ^= 1; // the checksum
    Files.write(file, bytes);
    refused(file, 1, "damaged gzip data");
  }

  @Test
  void filesThatDoNotFitEachOther() throws IOException {
    Toy.write(folder);
    Dataset read = Dataset.read(folder);
    assertEquals(Toy.CLASSES, read.classes().size());
    assertEquals(1024, read.train().count());

    Toy.write(folder.resolve("t10k-labels-idx1-ubyte"), 0x801, new byte[7], 7);
    refusedFolder("expected 200 labels", "t10k-images-idx3-ubyte.gz", "found 7");
    Toy.write(folder.resolve("t10k-labels-idx1-ubyte"), 0x801, new byte[200], 200);
    Toy.write(folder.resolve("t10k-images-idx3-ubyte.gz"), 0x803, new byte[200 * 4], 200, 2, 2);
    refusedFolder("expected test images of 5 x 8", "found 2 x 2");
    Files.delete(folder.resolve("t10k-images-idx3-ubyte.gz"));
    assertTrue(!Dataset.isIn(folder));
    refusedFolder("expected a file t10k-images-idx3-ubyte or", "found neither");
  }

  private static void refused(Path file, int rank, String message) {
    IOException e = assertThrows(IOException.class, () -> Idx.read(file, rank));
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  private void refusedFolder(String... words) {
    IOException e = assertThrows(IOException.class, () -> Dataset.read(folder));
    for (String word : words) {
      assertTrue(e.getMessage().contains(word), e.getMessage());
    }
  }
}
