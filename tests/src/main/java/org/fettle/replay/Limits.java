package org.fettle.replay;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** How closely the arrays of each method must be met: the table in {@code limits.json}. */
public final class Limits {
  private static final JsonObject TABLE = table();
  private static final Map<String, JsonObject> CLASS_OF = classes();

  private Limits() {}

  /**
   * How closely one array must be met.
   *
   * @param relative the error may be this much of the largest finite expected magnitude
   * @param ofStart with {@code ofDisplacement}: the error may be this much of the start's largest
   *     magnitude; negative where the displacement is not compared
   * @param ofDisplacement and this much of the largest displacement besides
   */
  public record Limit(double relative, double ofStart, double ofDisplacement) {
    /** Whether the displacement from the start is compared too. */
    public boolean comparesDisplacement() {
      return ofStart >= 0;
    }

    private static Limit of(double relative) {
      return new Limit(relative, -1, -1);
    }
  }

  /** The letter of a method's class. */
  public static String classOf(String method) {
    return entry(method).get("name").getAsString();
  }

  /** The limit of an array of a golden vector. */
  public static Limit of(GoldenCase golden, Values expected) {
    String name = expected.name();
    if (golden.limits().containsKey(name)) {
      return Limit.of(golden.limits().get(name));
    }
    JsonObject entry = entry(golden.method());
    if (expected.isInteger()) {
      return Limit.of(0);
    }
    JsonElement own = find(TABLE.getAsJsonObject("arrays").getAsJsonObject(golden.method()), name);
    if (own == null && expected.dtype().equals("F64")) {
      own = find(entry.getAsJsonObject("float64"), name);
    }
    if (own != null) {
      return Limit.of(own.getAsDouble());
    }
    double relative = entry.get("limit").getAsDouble();
    JsonObject displacement = entry.getAsJsonObject("displacement");
    if (displacement == null || !(name.equals("param") || name.equals("weight"))) {
      return Limit.of(relative);
    }
    return new Limit(
        relative,
        displacement.get("start").getAsDouble(),
        displacement.get("displacement").getAsDouble());
  }

  private static JsonObject entry(String method) {
    JsonObject entry = CLASS_OF.get(method);
    if (entry == null) {
      throw new IllegalArgumentException("method " + method + " has no class in limits.json");
    }
    return entry;
  }

  /** The first entry whose name, perhaps ending in *, fits. */
  private static JsonElement find(JsonObject patterns, String name) {
    if (patterns != null) {
      for (Map.Entry<String, JsonElement> entry : patterns.entrySet()) {
        String pattern = entry.getKey();
        boolean fits =
            pattern.endsWith("*")
                ? name.startsWith(pattern.substring(0, pattern.length() - 1))
                : name.equals(pattern);
        if (fits) {
          return entry.getValue();
        }
      }
    }
    return null;
  }

  private static Map<String, JsonObject> classes() {
    Map<String, JsonObject> classes = new LinkedHashMap<>();
    for (JsonElement element : TABLE.getAsJsonArray("classes")) {
      JsonObject entry = element.getAsJsonObject();
      for (JsonElement method : entry.getAsJsonArray("methods")) {
        if (classes.put(method.getAsString(), entry) != null) {
          throw new IllegalStateException("limits.json has two classes for " + method);
        }
      }
    }
    return classes;
  }

  private static JsonObject table() {
    try (InputStream in = Limits.class.getResourceAsStream("limits.json");
        Reader reader = new InputStreamReader(in, StandardCharsets.UTF_8)) {
      return JsonParser.parseReader(reader).getAsJsonObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
