package org.fettle.primitives;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.fettle.DType;
import org.fettle.Tensor;

/** A golden vector: its hyperparameters and arrays. */
final class Vector {
  private final JsonObject header;
  private final JsonObject hyper;
  private final ByteBuffer data;

  Vector(String name) {
    String resource = "/golden/optimizers/" + name + ".safetensors";
    try (InputStream stream = Vector.class.getResourceAsStream(resource)) {
      ByteBuffer file = ByteBuffer.wrap(stream.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
      byte[] text = new byte[(int) file.getLong()];
      file.get(text);
      header = parse(new String(text, StandardCharsets.UTF_8));
      data = file.slice().order(ByteOrder.LITTLE_ENDIAN);
      hyper =
          parse(header.getAsJsonObject("__metadata__").get("case").getAsString())
              .getAsJsonObject("hyper");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonObject parse(String text) {
    return JsonParser.parseString(text).getAsJsonObject();
  }

  JsonElement hyper(String name) {
    return hyper.get(name);
  }

  double number(String name) {
    return hyper.get(name).getAsDouble();
  }

  /** An array as doubles. */
  double[] array(String name) {
    JsonObject array = header.getAsJsonObject(name);
    int from = array.getAsJsonArray("data_offsets").get(0).getAsInt();
    int to = array.getAsJsonArray("data_offsets").get(1).getAsInt();
    String dtype = array.get("dtype").getAsString();
    int size = dtype.equals("F32") ? 4 : 8;
    double[] values = new double[(to - from) / size];
    for (int i = 0; i < values.length; i++) {
      int at = from + i * size;
      values[i] =
          switch (dtype) {
            case "F32" -> data.getFloat(at);
            case "F64" -> data.getDouble(at);
            case "I64" -> (double) data.getLong(at);
            default -> throw new AssertionError(dtype);
          };
    }
    return values;
  }

  /** A copy of an array as an F32 tensor. */
  Tensor tensor(String name) {
    var extents = header.getAsJsonObject(name).getAsJsonArray("shape");
    long[] shape = new long[extents.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = extents.get(i).getAsLong();
    }
    Tensor tensor = Tensor.allocate(DType.F32, shape);
    double[] values = array(name);
    for (int i = 0; i < values.length; i++) {
      tensor.buffer().putFloat(4 * i, (float) values[i]);
    }
    return tensor;
  }

  /** The elements of an F32 tensor. */
  static double[] values(Tensor tensor) {
    double[] values = new double[(int) tensor.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = tensor.buffer().getFloat(4 * i);
    }
    return values;
  }
}
