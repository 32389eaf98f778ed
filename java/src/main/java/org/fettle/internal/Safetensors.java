package org.fettle.internal;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.Closeable;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A safetensors file: eight bytes with the header's length, a JSON header, raw little-endian
 * arrays. Opening checks the whole header against the file, so that what it describes is there;
 * arrays are read in pieces, with 64-bit positions.
 *
 * <p>A file that is not as it should be gives an {@link IllegalArgumentException} that names the
 * file, the array, what was found and what was expected; an {@link IOException} means that it could
 * not be read.
 */
public final class Safetensors implements Closeable {
  private static final String METADATA = "__metadata__";
  private static final long MAX_HEADER = 100_000_000;
  private static final Map<String, Integer> DTYPE_BYTES = dtypeBytes();

  private final Path file;
  private final FileChannel channel;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Array> arrays = new LinkedHashMap<>();
  private final long dataStart;

  /**
   * An array of a file.
   *
   * @param name its name
   * @param dtype how elements are stored, such as F32
   * @param shape the extents
   * @param offset where it starts, counted from the end of the header
   * @param bytes its length
   */
  public record Array(String name, String dtype, List<Long> shape, long offset, long bytes) {
    /** The number of elements. */
    public long elements() {
      return bytes / DTYPE_BYTES.get(dtype);
    }
  }

  private Safetensors(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    long size = channel.size();
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    if (size < Long.BYTES) {
      throw wrong("has " + size + " bytes: expected at least 8, the header's length");
    }
    readFully(length, 0);
    long headerBytes = length.getLong(0);
    if (headerBytes < 2 || headerBytes > Math.min(MAX_HEADER, size - Long.BYTES)) {
      throw wrong(
          "has a header of "
              + Long.toUnsignedString(headerBytes)
              + " bytes: expected 2 to "
              + Math.min(MAX_HEADER, size - Long.BYTES));
    }
    ByteBuffer header = ByteBuffer.allocate((int) headerBytes);
    readFully(header, Long.BYTES);
    dataStart = Long.BYTES + headerBytes;
    parse(header.flip());
    checkLayout(size - dataStart);
  }

  /**
   * Opens a file and checks its header.
   *
   * @throws IllegalArgumentException if it is no safetensors file, or a damaged one
   */
  public static Safetensors open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    Safetensors opened = null;
    try {
      opened = new Safetensors(file, channel);
      return opened;
    } finally {
      if (opened == null) {
        channel.close();
      }
    }
  }

  /** The texts of the header's metadata, by name. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** A text of the metadata that must be there. */
  public String metadata(String name) {
    String text = metadata.get(name);
    if (text == null) {
      throw wrong("has no metadata " + name + ": there are " + metadata.keySet());
    }
    return text;
  }

  /** The arrays by name, in the header's order. */
  public Map<String, Array> arrays() {
    return Collections.unmodifiableMap(arrays);
  }

  /** An array that must be there. */
  public Array array(String name) {
    Array array = arrays.get(name);
    if (array == null) {
      throw wrong("has no array " + name + ": there are " + arrays.keySet());
    }
    return array;
  }

  /** Fills the rest of the buffer with an array's bytes, from a byte of it on. */
  public void read(Array array, long from, ByteBuffer to) throws IOException {
    if (from < 0 || from + to.remaining() > array.bytes()) {
      throw new IllegalArgumentException(
          "bytes " + from + " to " + (from + to.remaining()) + " of " + array);
    }
    readFully(to, dataStart + array.offset() + from);
  }

  /** Where an array's bytes start in the file. */
  public long position(Array array) {
    return dataStart + array.offset();
  }

  /** Maps bytes of an array into memory, to be read. */
  public MappedByteBuffer map(Array array, long from, int bytes) throws IOException {
    if (from < 0 || from + bytes > array.bytes()) {
      throw new IllegalArgumentException(
          "bytes " + from + " to " + (from + bytes) + " of " + array);
    }
    return channel.map(FileChannel.MapMode.READ_ONLY, position(array) + from, bytes);
  }

  /** A message about this file. */
  public IllegalArgumentException wrong(String what) {
    return new IllegalArgumentException(file + " " + what);
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private void readFully(ByteBuffer to, long position) throws IOException {
    long at = position;
    while (to.hasRemaining()) {
      int count = channel.read(to, at);
      if (count < 0) {
        throw wrong("ends at byte " + at + ": expected " + to.remaining() + " more");
      }
      at += count;
    }
  }

  private void parse(ByteBuffer header) throws IOException {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(header).toString();
    } catch (CharacterCodingException e) {
      throw damaged(e);
    }
    JsonReader json = new JsonReader(new StringReader(text));
    json.setStrictness(Strictness.STRICT);
    try {
      json.beginObject();
      while (json.hasNext()) {
        String name = json.nextName();
        if (name.equals(METADATA)) {
          parseMetadata(json);
        } else if (arrays.put(name, parseArray(json, name)) != null) {
          throw wrong("has two arrays " + name);
        }
      }
      json.endObject();
      if (json.peek() != JsonToken.END_DOCUMENT) {
        throw wrong("has a header with something behind its end");
      }
    } catch (IOException | IllegalStateException e) {
      throw damaged(e);
    }
  }

  private IllegalArgumentException damaged(Exception e) {
    return new IllegalArgumentException(
        file + " has a header that is not valid JSON: " + e.getMessage(), e);
  }

  private void parseMetadata(JsonReader json) throws IOException {
    if (!metadata.isEmpty()) {
      throw wrong("has two " + METADATA);
    }
    json.beginObject();
    while (json.hasNext()) {
      String name = json.nextName();
      if (json.peek() != JsonToken.STRING) {
        throw wrong("has metadata " + name + " that is no text");
      }
      if (metadata.put(name, json.nextString()) != null) {
        throw wrong("has two metadata " + name);
      }
    }
    json.endObject();
  }

  private Array parseArray(JsonReader json, String name) throws IOException {
    String dtype = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    json.beginObject();
    while (json.hasNext()) {
      String key = json.nextName();
      switch (key) {
        case "dtype" -> dtype = json.nextString();
        case "shape" -> shape = parseNumbers(json, name);
        case "data_offsets" -> offsets = parseNumbers(json, name);
        default -> throw wrong("array " + name + " has an unknown entry " + key);
      }
    }
    json.endObject();
    if (dtype == null || shape == null || offsets == null || offsets.size() != 2) {
      throw wrong("array " + name + " lacks one of dtype, shape and two data_offsets");
    }
    Integer elementBytes = DTYPE_BYTES.get(dtype);
    if (elementBytes == null) {
      throw wrong(
          "array " + name + " has dtype " + dtype + ": expected one of " + DTYPE_BYTES.keySet());
    }
    long bytes = elementBytes;
    try {
      for (long extent : shape) {
        bytes = Math.multiplyExact(bytes, extent);
      }
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          file + " array " + name + " has shape " + shape + ": more than 2^63 bytes", e);
    }
    long begin = offsets.get(0);
    if (offsets.get(1) - begin != bytes) {
      throw wrong(
          "array "
              + name
              + " has data_offsets "
              + offsets
              + ": expected "
              + bytes
              + " bytes for "
              + dtype
              + shape);
    }
    return new Array(name, dtype, List.copyOf(shape), begin, bytes);
  }

  private List<Long> parseNumbers(JsonReader json, String name) throws IOException {
    List<Long> numbers = new ArrayList<>();
    json.beginArray();
    while (json.hasNext()) {
      boolean number = json.peek() == JsonToken.NUMBER;
      String text = json.nextString();
      if (!number || !text.matches("[0-9]{1,18}")) {
        throw wrong(
            "array " + name + " has an extent or offset " + text + ": expected a whole number");
      }
      numbers.add(Long.parseLong(text));
    }
    json.endArray();
    return numbers;
  }

  /** The arrays lie one behind the other and fill the file. */
  private void checkLayout(long dataBytes) {
    List<Array> order = new ArrayList<>(arrays.values());
    order.sort(Comparator.comparingLong(Array::offset).thenComparingLong(Array::bytes));
    long end = 0;
    for (Array array : order) {
      if (array.offset() != end) {
        throw wrong(
            "array "
                + array.name()
                + " starts at "
                + array.offset()
                + ": expected "
                + end
                + ", the end of the array before it");
      }
      end += array.bytes();
    }
    if (end != dataBytes) {
      throw wrong("has " + dataBytes + " bytes of data: expected " + end);
    }
  }

  /**
   * The start of a file: the length and the header, padded with spaces so that the data is aligned.
   *
   * @param metadata texts by name
   * @param arrays in the order of their data; offsets count from the header's end
   */
  public static ByteBuffer header(Map<String, String> metadata, List<Array> arrays) {
    StringWriter text = new StringWriter();
    try (JsonWriter json = new JsonWriter(text)) {
      json.setHtmlSafe(false);
      json.beginObject().name(METADATA).beginObject();
      for (Map.Entry<String, String> entry : metadata.entrySet()) {
        json.name(entry.getKey()).value(entry.getValue());
      }
      json.endObject();
      for (Array array : arrays) {
        json.name(array.name()).beginObject().name("dtype").value(array.dtype());
        json.name("shape").beginArray();
        for (long extent : array.shape()) {
          json.value(extent);
        }
        json.endArray().name("data_offsets").beginArray();
        json.value(array.offset()).value(array.offset() + array.bytes()).endArray().endObject();
      }
      json.endObject();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    int padded = Math.addExact(bytes.length, 63) & -64;
    byte[] header = Arrays.copyOf(bytes, padded);
    Arrays.fill(header, bytes.length, padded, (byte) ' ');
    return ByteBuffer.allocate(Long.BYTES + padded)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(padded)
        .put(header)
        .flip();
  }

  /** Bytes of one element of a dtype, by the words of safetensors. */
  public static int elementBytes(String dtype) {
    return DTYPE_BYTES.get(dtype);
  }

  private static Map<String, Integer> dtypeBytes() {
    Map<String, Integer> bytes = new LinkedHashMap<>();
    for (String name : List.of("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0")) {
      bytes.put(name, 1);
    }
    for (String name : List.of("U16", "I16", "F16", "BF16")) {
      bytes.put(name, 2);
    }
    for (String name : List.of("U32", "I32", "F32")) {
      bytes.put(name, 4);
    }
    for (String name : List.of("U64", "I64", "F64")) {
      bytes.put(name, 8);
    }
    return Collections.unmodifiableMap(bytes);
  }
}
