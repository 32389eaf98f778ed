package org.fettle.steps;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.Safetensors;
import org.fettle.internal.Safetensors.Array;
import org.fettle.internal.TensorTransfer;

/**
 * What a step owns, as a safetensors file: its states and how many steps it took. {@code
 * docs/state-files.md} describes the format. A file is checked from end to end before anything of
 * it is used.
 */
final class StepFile {
  private static final String FORMAT = "fettle-step";
  private static final String VERSION = "1";

  private final String kind;
  private final Map<String, Tensor> states;
  private final Map<String, String> formats;
  private final Set<String> scalars;
  private final TensorTransfer transfer;

  /** What a file says besides the states. */
  record Loaded(long steps, Map<String, Double> scalars) {}

  /**
   * A file of a step of that kind with these states.
   *
   * @param formats of the states that are stored by blocks
   * @param scalars the names of the numbers besides
   */
  StepFile(
      Engine engine,
      String kind,
      Map<String, Tensor> states,
      Map<String, String> formats,
      Set<String> scalars) {
    this.kind = kind;
    this.states = states;
    this.formats = formats;
    this.scalars = scalars;
    transfer =
        new TensorTransfer(
            engine, states.values().stream().mapToLong(Tensor::bytes).max().orElse(0));
  }

  /** Writes the file beside its place and moves it there when it is whole. */
  void write(Path file, long steps, Map<String, Double> values) throws IOException {
    TensorTransfer.replace(
        file,
        channel -> {
          // The checksums stand before the data: their places are filled when they are known.
          Map<String, Long> checksums = new LinkedHashMap<>();
          states.keySet().forEach(name -> checksums.put(name, 0L));
          int start = header(steps, values, checksums).remaining();
          channel.position(start);
          for (Map.Entry<String, Tensor> entry : states.entrySet()) {
            checksums.put(entry.getKey(), transfer.write(entry.getValue(), channel));
          }
          TensorTransfer.write(channel, header(steps, values, checksums), 0);
        });
  }

  private ByteBuffer header(long steps, Map<String, Double> values, Map<String, Long> checksums) {
    JsonObject description = new JsonObject();
    description.addProperty("step", kind);
    description.addProperty("t", steps);
    if (!scalars.isEmpty()) {
      JsonObject numbers = new JsonObject();
      values.forEach((name, value) -> numbers.addProperty(name, Double.toHexString(value)));
      description.add("scalars", numbers);
    }
    if (!formats.isEmpty()) {
      JsonObject stored = new JsonObject();
      formats.forEach(stored::addProperty);
      description.add("formats", stored);
    }
    JsonObject sums = new JsonObject();
    checksums.forEach((name, sum) -> sums.addProperty(name, TensorTransfer.hex(sum)));
    description.add("crc32c", sums);
    List<Array> arrays = new ArrayList<>();
    long offset = 0;
    for (Map.Entry<String, Tensor> entry : states.entrySet()) {
      Tensor state = entry.getValue();
      arrays.add(
          new Array(entry.getKey(), state.dtype().fileName(), shape(state), offset, state.bytes()));
      offset += state.bytes();
    }
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("version", VERSION);
    metadata.put("step", description.toString());
    metadata.put("crc32c", TensorTransfer.checksum(description.toString()));
    return Safetensors.header(metadata, arrays);
  }

  /** Takes the states back; answers what they stand for. */
  Loaded load(Path file) throws IOException {
    try (Safetensors source = Safetensors.open(file)) {
      expect(source, "format", source.metadata("format"), FORMAT);
      expect(source, "version", source.metadata("version"), VERSION);
      String text = source.metadata("step");
      expect(
          source,
          "checksum of the description",
          source.metadata("crc32c"),
          TensorTransfer.checksum(text));
      long[] steps = new long[1];
      Map<String, String> checksums = new LinkedHashMap<>();
      Map<String, Double> values = new LinkedHashMap<>();
      TensorTransfer.describe(
          source,
          () -> {
            JsonObject description = JsonParser.parseString(text).getAsJsonObject();
            expect(source, "step", description.get("step").getAsString(), kind);
            steps[0] = description.get("t").getAsLong();
            Map<String, String> numbers = texts(description, "scalars");
            expect(source, "scalars", numbers.keySet(), scalars);
            numbers.forEach((name, value) -> values.put(name, Double.parseDouble(value)));
            expect(source, "formats", texts(description, "formats"), formats);
            JsonObject sums = description.getAsJsonObject("crc32c");
            for (String name : states.keySet()) {
              checksums.put(name, sums.get(name).getAsString());
            }
          });
      if (steps[0] < 0) {
        throw source.wrong("has t " + steps[0] + ": expected >= 0");
      }
      expect(source, "arrays", source.arrays().keySet(), states.keySet());
      for (Map.Entry<String, Tensor> entry : states.entrySet()) {
        check(source, entry.getKey(), entry.getValue(), checksums.get(entry.getKey()));
      }
      for (Map.Entry<String, Tensor> entry : states.entrySet()) {
        transfer.read(source, source.array(entry.getKey()), entry.getValue());
      }
      return new Loaded(steps[0], values);
    }
  }

  /** A part of the description that is left out where it is empty. */
  private static Map<String, String> texts(JsonObject description, String name) {
    Map<String, String> texts = new LinkedHashMap<>();
    if (description.has(name)) {
      JsonObject part = description.getAsJsonObject(name);
      part.keySet().forEach(key -> texts.put(key, part.get(key).getAsString()));
    }
    return texts;
  }

  private void check(Safetensors source, String name, Tensor state, String expected)
      throws IOException {
    Array array = source.array(name);
    expect(source, "array " + name + " with dtype", array.dtype(), state.dtype().fileName());
    expect(source, "array " + name + " with shape", array.shape(), shape(state));
    String found = TensorTransfer.hex(transfer.checksum(source, array));
    expect(source, "array " + name + " with checksum", found, expected);
  }

  private static void expect(Safetensors source, String what, Object actual, Object expected) {
    if (!actual.equals(expected)) {
      throw source.wrong("has " + what + " " + actual + ": expected " + expected);
    }
  }

  private static List<Long> shape(Tensor tensor) {
    return Arrays.stream(tensor.shape()).boxed().toList();
  }
}
