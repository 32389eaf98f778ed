package org.fettle.replay;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fettle.Hyper;
import org.fettle.internal.Safetensors;

/**
 * One golden vector: a method, its hyperparameters, what goes in, what must come out.
 *
 * @param file where it was read from
 * @param method the method's name
 * @param hyper every hyperparameter and option; notes which of them were read
 * @param steps how many steps, 0 where there are none
 * @param inputs the names of the arrays that go in
 * @param outputs the names of the arrays that must come out
 * @param limits limits of its own, by array
 * @param arrays all arrays by name
 */
public record GoldenCase(
    Path file,
    String method,
    Hyper hyper,
    int steps,
    List<String> inputs,
    List<String> outputs,
    Map<String, Double> limits,
    Map<String, Values> arrays) {

  /** Reads a file; whatever is wrong with it becomes an {@link IllegalArgumentException}. */
  public static GoldenCase read(Path file) throws IOException {
    try (Safetensors source = Safetensors.open(file)) {
      Map<String, Values> arrays = new LinkedHashMap<>();
      for (Safetensors.Array array : source.arrays().values()) {
        arrays.put(array.name(), read(source, array));
      }
      try {
        JsonObject json = JsonParser.parseString(source.metadata("case")).getAsJsonObject();
        GoldenCase golden =
            new GoldenCase(
                file,
                json.get("method").getAsString(),
                new Hyper(values(json.getAsJsonObject("hyper"))),
                json.get("steps").isJsonNull() ? 0 : json.get("steps").getAsInt(),
                names(json.getAsJsonArray("inputs")),
                names(json.getAsJsonArray("outputs")),
                limits(json.get("notes")),
                arrays);
        golden.inputs.forEach(golden::array);
        golden.outputs.forEach(golden::array);
        return golden;
      } catch (JsonParseException
          | IllegalStateException
          | NullPointerException
          | ClassCastException
          | NumberFormatException e) {
        throw new IllegalArgumentException(file + " has a bad description: " + e, e);
      }
    }
  }

  /** An array that must be there. */
  public Values array(String name) {
    Values values = arrays.get(name);
    if (values == null) {
      throw new IllegalArgumentException(
          file + " has no array " + name + ": there are " + arrays.keySet());
    }
    return values;
  }

  /** Whether an array goes in. */
  public boolean takes(String name) {
    return inputs.contains(name);
  }

  private static Values read(Safetensors source, Safetensors.Array array) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.toIntExact(array.bytes())).order(ByteOrder.LITTLE_ENDIAN);
    source.read(array, 0, bytes);
    bytes.flip();
    double[] values = new double[Math.toIntExact(array.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] =
          switch (array.dtype()) {
            case "F64" -> bytes.getDouble();
            case "F32" -> bytes.getFloat();
            case "I64" -> bytes.getLong();
            case "I32" -> bytes.getInt();
            case "I16" -> bytes.getShort();
            case "U16" -> bytes.getShort() & 0xFFFF;
            case "I8" -> bytes.get();
            case "U8", "BOOL" -> bytes.get() & 0xFF;
            default ->
                throw source.wrong(
                    "array " + array.name() + " has dtype " + array.dtype() + ": not used here");
          };
    }
    return new Values(array.name(), array.dtype(), array.shape(), values);
  }

  /** Numbers keep the digits that the file has. */
  private static Map<String, Object> values(JsonObject json) {
    Map<String, Object> values = new LinkedHashMap<>();
    json.entrySet().forEach(entry -> values.put(entry.getKey(), value(entry.getValue())));
    return values;
  }

  private static Object value(JsonElement element) {
    if (element.isJsonNull()) {
      return null;
    }
    if (element.isJsonArray()) {
      List<Object> list = new ArrayList<>();
      element.getAsJsonArray().forEach(part -> list.add(value(part)));
      return list;
    }
    JsonPrimitive primitive = element.getAsJsonPrimitive();
    if (primitive.isBoolean()) {
      return primitive.getAsBoolean();
    }
    return primitive.isNumber() ? primitive.getAsNumber() : primitive.getAsString();
  }

  private static List<String> names(JsonArray json) {
    List<String> names = new ArrayList<>();
    json.forEach(name -> names.add(name.getAsString()));
    return List.copyOf(names);
  }

  private static Map<String, Double> limits(JsonElement notes) {
    Map<String, Double> limits = new LinkedHashMap<>();
    if (notes != null && notes.isJsonObject() && notes.getAsJsonObject().has("limits")) {
      notes
          .getAsJsonObject()
          .getAsJsonObject("limits")
          .entrySet()
          .forEach(entry -> limits.put(entry.getKey(), entry.getValue().getAsDouble()));
    }
    return limits;
  }
}
