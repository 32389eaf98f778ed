package org.fettle;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.fettle.internal.Blocks;
import org.fettle.internal.Engine;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.Runner;
import org.fettle.internal.Safetensors;
import org.fettle.internal.Safetensors.Array;
import org.fettle.internal.TensorTransfer;

/**
 * What a plan owns, as a safetensors file: states in their stored format, step counters, scalars.
 * {@code docs/state-files.md} describes the format.
 *
 * <p>Checksums cover the description and every array, so that a damaged file is found before
 * anything of it is used.
 */
final class StateFile {
  private static final String FORMAT = "fettle-state";

  /**
   * The version that is written. Every version up to this one can be read: whoever raises it keeps
   * the reading of the older ones.
   */
  private static final int VERSION = 1;

  private final PlanSpec plan;
  private final Runner runner;
  private final TensorTransfer transfer;

  StateFile(PlanSpec plan, Engine engine, Runner runner) {
    this.plan = plan;
    this.runner = runner;
    long largest =
        plan.tensors().stream()
            .flatMap(entry -> Stream.concat(entry.states().stream(), entry.scales().stream()))
            .mapToLong(Tensor::bytes)
            .max()
            .orElse(0);
    transfer = new TensorTransfer(engine, largest);
  }

  /** Writes the file beside its place and moves it there when it is whole. */
  void write(Path file) throws IOException {
    List<Array> arrays = arrays();
    TensorTransfer.replace(
        file,
        channel -> {
          // The checksums stand before the data: their places are filled when they are known.
          Map<String, Long> checksums = new HashMap<>();
          int start = header(arrays, checksums).remaining();
          channel.position(start);
          int next = 0;
          for (PlanSpec.Entry entry : plan.tensors()) {
            for (int k = 0; k < entry.states().size(); k++) {
              Tensor state = entry.states().get(k);
              checksums.put(arrays.get(next++).name(), transfer.write(state, channel));
              if (entry.blocks().get(k).isPresent()) {
                Tensor scales = entry.blocks().get(k).get().scales();
                checksums.put(arrays.get(next++).name(), transfer.write(scales, channel));
              }
            }
          }
          ByteBuffer header = header(arrays, checksums);
          if (header.remaining() != start) {
            throw new IllegalStateException("the header's length depends on the checksums");
          }
          TensorTransfer.write(channel, header, 0);
        });
  }

  private List<Array> arrays() {
    List<Array> arrays = new ArrayList<>();
    Set<String> labels = new HashSet<>();
    long offset = 0;
    for (int i = 0; i < plan.tensors().size(); i++) {
      PlanSpec.Entry entry = plan.tensors().get(i);
      if (!labels.add(label(i))) {
        throw new IllegalArgumentException(
            "two tensors are called " + label(i) + ": expected names of their own in a state file");
      }
      for (int k = 0; k < entry.states().size(); k++) {
        offset = add(arrays, arrayName(i, k), entry.states().get(k), offset);
        if (entry.blocks().get(k).isPresent()) {
          offset = add(arrays, scalesName(i, k), entry.blocks().get(k).get().scales(), offset);
        }
      }
    }
    return arrays;
  }

  private static long add(List<Array> arrays, String name, Tensor tensor, long offset) {
    arrays.add(new Array(name, tensor.dtype().fileName(), shape(tensor), offset, tensor.bytes()));
    return Math.addExact(offset, tensor.bytes());
  }

  private String scalesName(int tensor, int state) {
    return arrayName(tensor, state) + ".scales";
  }

  private String label(int tensor) {
    String name = plan.tensors().get(tensor).parameter().name();
    return name == null ? String.valueOf(tensor) : name;
  }

  private String arrayName(int tensor, int state) {
    return label(tensor) + "." + rule(tensor).states().get(state);
  }

  private Rule rule(int tensor) {
    return plan.rules().get(plan.tensors().get(tensor).group());
  }

  private static List<Long> shape(Tensor tensor) {
    return Arrays.stream(tensor.shape()).boxed().toList();
  }

  private ByteBuffer header(List<Array> arrays, Map<String, Long> checksums) {
    JsonObject description = new JsonObject();
    description.addProperty("seed", Long.toUnsignedString(plan.seed()));
    JsonArray tensors = new JsonArray();
    for (int i = 0; i < plan.tensors().size(); i++) {
      tensors.add(describe(i, checksums));
    }
    description.add("tensors", tensors);
    String text = description.toString();
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("version", String.valueOf(VERSION));
    metadata.put("plan", text);
    metadata.put("crc32c", TensorTransfer.checksum(text));
    return Safetensors.header(metadata, arrays);
  }

  private JsonObject describe(int tensor, Map<String, Long> checksums) {
    PlanSpec.Entry entry = plan.tensors().get(tensor);
    Rule rule = rule(tensor);
    JsonObject object = new JsonObject();
    object.addProperty("name", entry.parameter().name());
    object.addProperty("rule", rule.id());
    object.addProperty("dtype", entry.parameter().value().dtype().toString());
    object.add("shape", numbers(entry.parameter().value()));
    object.addProperty("t", runner.stepCount(tensor));
    JsonObject scalars = new JsonObject();
    for (int k = 0; k < rule.scalars().size(); k++) {
      scalars.addProperty(rule.scalars().get(k), Double.toHexString(runner.scalar(tensor, k)));
    }
    object.add("scalars", scalars);
    if (entry.rowState() != null) {
      JsonArray rows = new JsonArray();
      for (long row = 0; row < entry.rows(); row++) {
        rows.add(Double.toHexString(entry.rowState().get(row)));
      }
      object.add("rows", rows);
    }
    JsonArray states = new JsonArray();
    for (int k = 0; k < entry.states().size(); k++) {
      JsonObject state = new JsonObject();
      state.addProperty("name", rule.states().get(k));
      state.addProperty("dtype", entry.states().get(k).dtype().toString());
      state.addProperty("array", arrayName(tensor, k));
      state.addProperty(
          "crc32c", TensorTransfer.hex(checksums.getOrDefault(arrayName(tensor, k), 0L)));
      if (entry.blocks().get(k).isPresent()) {
        Blocks blocks = entry.blocks().get(k).get();
        state.addProperty("format", blocks.format().toString());
        state.addProperty("block_size", blocks.size());
        state.addProperty("scales", scalesName(tensor, k));
        state.addProperty(
            "scales_crc32c", TensorTransfer.hex(checksums.getOrDefault(scalesName(tensor, k), 0L)));
      }
      states.add(state);
    }
    object.add("states", states);
    return object;
  }

  private static JsonArray numbers(Tensor tensor) {
    JsonArray numbers = new JsonArray();
    shape(tensor).forEach(numbers::add);
    return numbers;
  }

  /** A file that fits the plan, checked from end to end; nothing of it has been used yet. */
  Loaded open(Path file) throws IOException {
    Safetensors source = Safetensors.open(file);
    Loaded loaded = null;
    try {
      loaded = new Loaded(source);
      return loaded;
    } finally {
      if (loaded == null) {
        source.close();
      }
    }
  }

  /** A checked file. */
  final class Loaded implements AutoCloseable {
    private final Safetensors source;
    private final long[] steps = new long[plan.tensors().size()];
    private final double[][] scalars = new double[plan.tensors().size()][];
    private final double[][] rows = new double[plan.tensors().size()][];

    private Loaded(Safetensors source) throws IOException {
      this.source = source;
      expect("format", source.metadata("format"), FORMAT);
      String version = source.metadata("version");
      if (!version.matches("[0-9]{1,9}") || Integer.parseInt(version) < 1) {
        throw source.wrong("has version " + version + ": expected a number from 1 on");
      }
      if (Integer.parseInt(version) > VERSION) {
        throw source.wrong(
            "has version "
                + version
                + ": expected at most "
                + VERSION
                + "; a newer Fettle wrote it");
      }
      String text = source.metadata("plan");
      expect(
          "checksum of the description", TensorTransfer.checksum(text), source.metadata("crc32c"));
      TensorTransfer.describe(
          source,
          () -> {
            JsonObject description = JsonParser.parseString(text).getAsJsonObject();
            check(description);
            checkChecksums(description);
          });
    }

    private void expect(String what, Object actual, Object expected) {
      if (!Objects.equals(actual, expected)) {
        throw source.wrong("has " + what + " " + actual + ": expected " + expected);
      }
    }

    private void check(JsonObject description) {
      expect("seed", description.get("seed").getAsString(), Long.toUnsignedString(plan.seed()));
      JsonArray tensors = description.getAsJsonArray("tensors");
      expect("tensors:", tensors.size(), plan.tensors().size());
      Set<String> wanted = new HashSet<>();
      for (int i = 0; i < tensors.size(); i++) {
        JsonObject found = tensors.get(i).getAsJsonObject();
        PlanSpec.Entry entry = plan.tensors().get(i);
        Tensor value = entry.parameter().value();
        Rule rule = rule(i);
        String what = "tensor " + i + " (" + label(i) + ")";
        JsonElement name = found.get("name");
        expect(
            what + " with name",
            name instanceof JsonNull ? null : name.getAsString(),
            entry.parameter().name());
        expect(what + " with rule", found.get("rule").getAsString(), rule.id());
        expect(what + " with dtype", found.get("dtype").getAsString(), value.dtype().toString());
        expect(what + " with shape", found.get("shape"), numbers(value));
        steps[i] = found.get("t").getAsLong();
        if (steps[i] < 0) {
          throw source.wrong("has " + what + " with t " + steps[i] + ": expected >= 0");
        }
        JsonObject values = found.getAsJsonObject("scalars");
        expect(what + " with scalars", values.keySet(), new HashSet<>(rule.scalars()));
        scalars[i] = new double[rule.scalars().size()];
        for (int k = 0; k < scalars[i].length; k++) {
          scalars[i][k] = Double.parseDouble(values.get(rule.scalars().get(k)).getAsString());
        }
        checkRows(what, i, found);
        checkStates(what, i, found.getAsJsonArray("states"), wanted);
      }
      expect("arrays", source.arrays().keySet(), wanted);
    }

    private void checkRows(String what, int tensor, JsonObject found) {
      PlanSpec.Entry entry = plan.tensors().get(tensor);
      if (entry.rowState() == null) {
        expect(what + " with numbers per row", found.has("rows"), false);
        return;
      }
      JsonArray values = found.getAsJsonArray("rows");
      expect(what + " with numbers per row:", (long) values.size(), entry.rows());
      rows[tensor] = new double[values.size()];
      for (int row = 0; row < values.size(); row++) {
        rows[tensor][row] = Double.parseDouble(values.get(row).getAsString());
      }
    }

    private void checkStates(String what, int tensor, JsonArray found, Set<String> wanted) {
      PlanSpec.Entry entry = plan.tensors().get(tensor);
      List<String> names = new ArrayList<>();
      found.forEach(state -> names.add(state.getAsJsonObject().get("name").getAsString()));
      expect(what + " with states", names, rule(tensor).states());
      for (int k = 0; k < found.size(); k++) {
        JsonObject state = found.get(k).getAsJsonObject();
        Tensor own = entry.states().get(k);
        String stateName = what + " with state " + names.get(k);
        expect(stateName + " stored as", state.get("dtype").getAsString(), own.dtype().toString());
        expect(stateName + " in array", state.get("array").getAsString(), arrayName(tensor, k));
        Array array = source.array(arrayName(tensor, k));
        expect("array " + array.name() + " with dtype", array.dtype(), own.dtype().fileName());
        expect("array " + array.name() + " with shape", array.shape(), shape(own));
        wanted.add(array.name());
        checkBlocks(stateName, tensor, k, state, wanted);
      }
    }

    private void checkBlocks(
        String stateName, int tensor, int k, JsonObject state, Set<String> wanted) {
      Optional<Blocks> blocks = plan.tensors().get(tensor).blocks().get(k);
      String own = blocks.map(found -> found.format() + "/" + found.size()).orElse("elements");
      String stored =
          state.has("format")
              ? state.get("format").getAsString() + "/" + state.get("block_size").getAsInt()
              : "elements";
      expect(stateName + " stored by", stored, own);
      if (blocks.isPresent()) {
        String name = scalesName(tensor, k);
        expect(stateName + " with scales in array", state.get("scales").getAsString(), name);
        Array array = source.array(name);
        expect("array " + name + " with dtype", array.dtype(), DType.F32.fileName());
        expect("array " + name + " with shape", array.shape(), shape(blocks.get().scales()));
        wanted.add(name);
      }
    }

    private void checkChecksums(JsonObject description) throws IOException {
      for (JsonElement tensor : description.getAsJsonArray("tensors")) {
        for (JsonElement element : tensor.getAsJsonObject().getAsJsonArray("states")) {
          JsonObject state = element.getAsJsonObject();
          checkChecksum(state.get("array").getAsString(), state.get("crc32c").getAsString());
          if (state.has("scales")) {
            checkChecksum(
                state.get("scales").getAsString(), state.get("scales_crc32c").getAsString());
          }
        }
      }
    }

    private void checkChecksum(String name, String expected) throws IOException {
      String found = TensorTransfer.hex(transfer.checksum(source, source.array(name)));
      expect("array " + name + " with checksum", found, expected);
    }

    /** Puts everything into the plan. */
    void restore() throws IOException {
      for (int i = 0; i < steps.length; i++) {
        List<Tensor> states = plan.tensors().get(i).states();
        for (int k = 0; k < states.size(); k++) {
          restore(arrayName(i, k), states.get(k));
          Optional<Blocks> blocks = plan.tensors().get(i).blocks().get(k);
          if (blocks.isPresent()) {
            restore(scalesName(i, k), blocks.get().scales());
          }
        }
        runner.stepCount(i, steps[i]);
        for (int k = 0; k < scalars[i].length; k++) {
          runner.scalar(i, k, scalars[i][k]);
        }
        if (rows[i] != null) {
          // Last: a runner whose numbers lie on a device reads them all when it is given one.
          for (int row = 0; row < rows[i].length; row++) {
            plan.tensors().get(i).rowState().put(row, rows[i][row]);
          }
          runner.writeRows();
        }
      }
    }

    private void restore(String name, Tensor to) throws IOException {
      transfer.read(source, source.array(name), to);
    }

    @Override
    public void close() throws IOException {
      source.close();
    }
  }
}
