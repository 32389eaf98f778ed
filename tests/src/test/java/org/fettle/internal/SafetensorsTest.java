package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
  @TempDir private Path folder;

  private static byte[] sample() {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("text", "quote \" and umlaut \u00fc");
    ByteBuffer header =
        Safetensors.header(
            metadata,
            List.of(
                new Safetensors.Array("a", "F32", List.of(2L, 3L), 0, 24),
                new Safetensors.Array("empty", "U8", List.of(0L), 24, 0),
                new Safetensors.Array("b", "I64", List.of(), 24, 8)));
    ByteBuffer file =
        ByteBuffer.allocate(header.remaining() + 32).order(ByteOrder.LITTLE_ENDIAN).put(header);
    for (int i = 0; i < 6; i++) {
      file.putFloat(i);
    }
    return bytes(file.putLong(-5).flip());
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  private Path write(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("file.safetensors"), bytes);
  }

  private Path write(String header, int dataBytes) throws IOException {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    return write(
        ByteBuffer.allocate(8 + text.length + dataBytes)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(text.length)
            .put(text)
            .array());
  }

  private static String rejected(Path file) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Safetensors.open(file).close());
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    return e.getMessage().substring(file.toString().length() + 1);
  }

  @Test
  void whatIsWrittenIsRead() throws IOException {
    try (Safetensors file = Safetensors.open(write(sample()))) {
      assertEquals("quote \" and umlaut \u00fc", file.metadata("text"));
      assertEquals(List.of("a", "empty", "b"), List.copyOf(file.arrays().keySet()));
      assertEquals(List.of(2L, 3L), file.array("a").shape());
      assertEquals(6, file.array("a").elements());
      ByteBuffer part = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
      file.read(file.array("a"), 8, part);
      assertArrayEquals(new float[] {2, 3}, new float[] {part.getFloat(0), part.getFloat(4)});
      part.clear();
      file.read(file.array("b"), 0, part);
      assertEquals(-5, part.getLong(0));
      part.clear();
      assertThrows(IllegalArgumentException.class, () -> file.read(file.array("a"), 20, part));
      assertThrows(IllegalArgumentException.class, () -> file.array("c"));
      assertThrows(IllegalArgumentException.class, () -> file.metadata("other"));
    }
  }

  @Test
  void everyTruncationIsRejected() throws IOException {
    byte[] whole = sample();
    for (int length = 0; length < whole.length; length++) {
      rejected(write(java.util.Arrays.copyOf(whole, length)));
    }
    rejected(write(java.util.Arrays.copyOf(whole, whole.length + 1)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{1                                                            | 0 | not valid JSON",
        "[]                                                            | 0 | not valid JSON",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}{}      | 4 | not valid JSON",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}} | 8 | two arrays a",
        "{'a':{'dtype':'F31','shape':[1],'data_offsets':[0,4]}}        | 4 | has dtype F31",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}        | 4 | expected 8 bytes",
        "{'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}       | 4 | expected a whole number",
        "{'a':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}      | 4 | expected a whole number",
        "{'a':{'dtype':'F32','shape':['1'],'data_offsets':[0,4]}}      | 4 | expected a whole number",
        "{'a':{'dtype':'F32','shape':[4611686018427387,99999],'data_offsets':[0,4]}} | 4 | more than 2^63 bytes",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}        | 8 | starts at 4: expected 0",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[2,6]}} | 6 | starts at 2: expected 4",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}        | 5 | has 5 bytes of data: expected 4",
        "{'a':{'dtype':'F32','shape':[1]}}                             | 4 | lacks one of",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4],'x':1}}  | 4 | unknown entry x",
        "{'__metadata__':{'a':1}}                                      | 0 | no text",
        "{'__metadata__':{'a':'1','a':'2'}}                            | 0 | two metadata a",
      })
  void damagedHeadersSayWhatIsWrong(String header, int dataBytes, String expected)
      throws IOException {
    String message = rejected(write(header.replace('\'', '"'), dataBytes));
    assertTrue(message.contains(expected), message);
  }

  @Test
  void aHeaderLongerThanTheFileIsRejected() throws IOException {
    byte[] bytes = sample();
    bytes[7] = (byte) 0x80;
    assertTrue(rejected(write(bytes)).contains("has a header of 92"));
    bytes[7] = 0;
    bytes[4] = 1;
    assertTrue(rejected(write(bytes)).contains("expected 2 to"));
  }

  @Test
  void headersThatAreNoUtf8AreRejected() throws IOException {
    byte[] bytes = sample();
    bytes[20] = (byte) 0xFF;
    assertTrue(rejected(write(bytes)).contains("not valid JSON"));
  }

  @Test
  void arraysBehindFourGibibytesAreReached() throws IOException {
    long big = 5L << 30;
    Path path = folder.resolve("big.safetensors");
    ByteBuffer header =
        Safetensors.header(
            Map.of(),
            List.of(
                new Safetensors.Array("big", "F32", List.of(big / 4), 0, big),
                new Safetensors.Array("last", "U32", List.of(1L), big, 4)));
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.write(bytes(header));
      // A hole: no disk is taken.
      file.setLength(header.capacity() + big);
      file.seek(header.capacity() + big - 1);
      file.write(7);
      file.write(new byte[] {1, 2, 3, 4});
    }
    try (Safetensors file = Safetensors.open(path)) {
      ByteBuffer bytes = ByteBuffer.allocate(4);
      file.read(file.array("last"), 0, bytes);
      assertArrayEquals(new byte[] {1, 2, 3, 4}, bytes.array());
      ByteBuffer end = ByteBuffer.allocate(1);
      file.read(file.array("big"), big - 1, end);
      assertEquals(7, end.get(0));
    }
  }
}
