package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.fettle.Rule;
import org.fettle.Rules;
import org.junit.jupiter.api.Test;

/** GraalVM's metadata names everything that is found by its name only at run time. */
class NativeImageTest {
  private static final String OURS = "/META-INF/native-image/org.fettle/fettle/";
  private static final String JAVACPP =
      "/META-INF/native-image/" + Loader.getPlatform() + "/jnijavacpp/";
  private static final String LIBRARY = "/org/fettle/" + Loader.getPlatform() + "/libjnifettle.so";

  private static byte[] read(String resource) throws IOException {
    try (InputStream in = NativeImageTest.class.getResourceAsStream(resource)) {
      assertTrue(in != null, resource + " is not on the class path");
      return in.readAllBytes();
    }
  }

  private static JsonElement json(String resource) throws IOException {
    return JsonParser.parseString(new String(read(resource), StandardCharsets.UTF_8));
  }

  private static Set<String> names(String resource) throws IOException {
    Set<String> names = new TreeSet<>();
    JsonArray classes = json(resource).getAsJsonArray();
    classes.forEach(one -> names.add(one.getAsJsonObject().get("name").getAsString()));
    return names;
  }

  /** JNI_OnLoad finds the classes whose names are constants of the library. */
  @Test
  void everyClassThatTheLibraryFindsIsRegisteredForJni() throws IOException {
    Set<String> known = names(OURS + "jni-config.json");
    assertTrue(known.contains(Native.class.getName()));
    known.addAll(names(JAVACPP + "jni-config.json"));
    String library = new String(read(LIBRARY), StandardCharsets.ISO_8859_1);
    Matcher constants =
        Pattern.compile("\\00((?:java|org)/[A-Za-z0-9_/$]+)(?=\\00)").matcher(library);
    Set<String> missing = new TreeSet<>();
    int found = 0;
    while (constants.find()) {
      String name = constants.group(1).replace('/', '.');
      found++;
      if (!known.contains(name)) {
        missing.add(name);
      }
    }
    assertTrue(found > 10, "the library's class names were not found: " + found);
    assertTrue(missing.isEmpty(), "jni-config.json lacks " + missing);
  }

  @Test
  void everyRuleIsRegisteredForReflection() throws IOException {
    Set<String> known = names(OURS + "reflect-config.json");
    for (Class<? extends Rule> record : Rules.records()) {
      assertTrue(known.contains(record.getName()), "reflect-config.json lacks " + record.getName());
    }
  }

  @Test
  void everyNameIsAClass() throws IOException {
    for (String file : new String[] {"jni-config.json", "reflect-config.json"}) {
      for (String name : names(OURS + file)) {
        if (name.startsWith("org.fettle.")) {
          assertTrue(exists(name), file + " names " + name);
        }
      }
    }
  }

  private static boolean exists(String name) {
    try {
      Class.forName(name, false, NativeImageTest.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException e) {
      return false;
    }
  }

  @Test
  void everyResourceIsIncluded() throws IOException {
    List<Pattern> included = new ArrayList<>();
    JsonObject resources =
        json(OURS + "resource-config.json").getAsJsonObject().getAsJsonObject("resources");
    for (JsonElement one : resources.getAsJsonArray("includes")) {
      included.add(Pattern.compile(one.getAsJsonObject().get("pattern").getAsString()));
    }
    List<String> names = new ArrayList<>();
    Path classes = Path.of("../java/target/classes");
    try (Stream<Path> files = Files.walk(classes.resolve("org/fettle"))) {
      files
          .filter(Files::isRegularFile)
          .map(file -> classes.relativize(file).toString())
          .filter(name -> !name.endsWith(".class"))
          .forEach(names::add);
    }
    for (String resource :
        List.of("/org/fettle/rules.def", "/org/fettle/code-books.txt", LIBRARY)) {
      read(resource);
      assertTrue(names.contains(resource.substring(1)), names + " lacks " + resource);
    }
    for (String name : names) {
      assertFalse(
          included.stream().noneMatch(pattern -> pattern.matcher(name).matches()),
          "resource-config.json does not include " + name);
    }
  }
}
