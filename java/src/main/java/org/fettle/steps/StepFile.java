package org.fettle.steps;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.CRC32C;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Safetensors;
import org.fettle.internal.Safetensors.Array;

/**
 * What a step owns, as a safetensors file: its states and how many steps it took. {@code
 * docs/state-files.md} describes the format. A file is checked from end to end before anything of
 * it is used.
 */
final class StepFile {
  private static final String FORMAT = "fettle-step";
  private static final String VERSION = "1";

  private final Engine engine;
  private final String kind;
  private final Map<String, Tensor> states;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);

  /** A file of a step of that kind with these states. */
  StepFile(Engine engine, String kind, Map<String, Tensor> states) {
    this.engine = engine;
    this.kind = kind;
    this.states = states;
  }

  private interface Piece {
    void take(ByteBuffer bytes) throws IOException;
  }

  private void read(Tensor state, Piece piece) throws IOException {
    for (long at = 0; at < state.bytes(); at += buffer.capacity()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), state.bytes() - at));
      engine.read(state, at, buffer);
      piece.take(buffer.flip());
    }
  }

  /** Writes the file beside its place and moves it there when it is whole. */
  void write(Path file, long steps) throws IOException {
    JsonObject description = new JsonObject();
    description.addProperty("step", kind);
    description.addProperty("t", steps);
    JsonObject checksums = new JsonObject();
    List<Array> arrays = new ArrayList<>();
    long offset = 0;
    for (Map.Entry<String, Tensor> entry : states.entrySet()) {
      Tensor state = entry.getValue();
      CRC32C checksum = new CRC32C();
      read(state, checksum::update);
      checksums.addProperty(entry.getKey(), hex(checksum));
      arrays.add(
          new Array(entry.getKey(), state.dtype().fileName(), shape(state), offset, state.bytes()));
      offset += state.bytes();
    }
    description.add("crc32c", checksums);
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("version", VERSION);
    metadata.put("step", description.toString());
    metadata.put("crc32c", hex(description.toString()));
    Path target = file.toAbsolutePath();
    String mark = Long.toHexString(ThreadLocalRandom.current().nextLong());
    Path temporary = target.resolveSibling("." + target.getFileName() + "." + mark);
    try {
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        write(channel, Safetensors.header(metadata, arrays));
        for (Tensor state : states.values()) {
          read(state, bytes -> write(channel, bytes));
        }
        channel.force(true);
      }
      Files.move(
          temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Takes the states back; answers how many steps they stand for. */
  long load(Path file) throws IOException {
    try (Safetensors source = Safetensors.open(file)) {
      expect(source, "format", source.metadata("format"), FORMAT);
      expect(source, "version", source.metadata("version"), VERSION);
      String text = source.metadata("step");
      expect(source, "checksum of the description", source.metadata("crc32c"), hex(text));
      long steps;
      Map<String, String> checksums;
      try {
        JsonObject description = JsonParser.parseString(text).getAsJsonObject();
        expect(source, "step", description.get("step").getAsString(), kind);
        steps = description.get("t").getAsLong();
        checksums = new LinkedHashMap<>();
        for (String name : states.keySet()) {
          checksums.put(name, description.getAsJsonObject("crc32c").get(name).getAsString());
        }
      } catch (JsonParseException
          | ClassCastException
          | IllegalStateException
          | UnsupportedOperationException
          | NullPointerException
          | NumberFormatException e) {
        throw new IllegalArgumentException(source.wrong("has a bad description").getMessage(), e);
      }
      if (steps < 0) {
        throw source.wrong("has t " + steps + ": expected >= 0");
      }
      expect(source, "arrays", source.arrays().keySet(), states.keySet());
      for (Map.Entry<String, Tensor> entry : states.entrySet()) {
        check(source, entry.getKey(), entry.getValue(), checksums.get(entry.getKey()));
      }
      for (Map.Entry<String, Tensor> entry : states.entrySet()) {
        Tensor state = entry.getValue();
        for (long at = 0; at < state.bytes(); at += buffer.capacity()) {
          readPart(source, source.array(entry.getKey()), at);
          engine.write(state, at, buffer);
        }
      }
      return steps;
    }
  }

  private void check(Safetensors source, String name, Tensor state, String expected)
      throws IOException {
    Array array = source.array(name);
    expect(source, "array " + name + " with dtype", array.dtype(), state.dtype().fileName());
    expect(source, "array " + name + " with shape", array.shape(), shape(state));
    CRC32C checksum = new CRC32C();
    for (long at = 0; at < array.bytes(); at += buffer.capacity()) {
      readPart(source, array, at);
      checksum.update(buffer);
    }
    expect(source, "array " + name + " with checksum", hex(checksum), expected);
  }

  private void readPart(Safetensors source, Array array, long at) throws IOException {
    buffer.clear().limit((int) Math.min(buffer.capacity(), array.bytes() - at));
    source.read(array, at, buffer);
    buffer.flip();
  }

  private static void expect(Safetensors source, String what, Object actual, Object expected) {
    if (!actual.equals(expected)) {
      throw source.wrong("has " + what + " " + actual + ": expected " + expected);
    }
  }

  private static List<Long> shape(Tensor tensor) {
    return Arrays.stream(tensor.shape()).boxed().toList();
  }

  private static String hex(String text) {
    CRC32C checksum = new CRC32C();
    checksum.update(text.getBytes(StandardCharsets.UTF_8));
    return hex(checksum);
  }

  private static String hex(CRC32C checksum) {
    return String.format("%08x", checksum.getValue());
  }
}
