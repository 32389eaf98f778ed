package org.fettle.replay;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Hyper;

/** The golden vectors of this repository, and changed versions of them. */
final class GoldenFiles {
  private GoldenFiles() {}

  /** All golden vectors. */
  static List<Path> all() {
    try (Stream<Path> files = Files.walk(resource("golden"))) {
      return files.filter(file -> file.toString().endsWith(".safetensors")).sorted().toList();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** A golden vector by its name in the folder {@code golden}. */
  static GoldenCase read(String name) {
    try {
      return GoldenCase.read(resource("golden/" + name + ".safetensors"));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  static Path resource(String name) {
    try {
      return Path.of(GoldenFiles.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The backends of this machine. */
  static List<String> backends() {
    return Backend.all().stream()
        .filter(Backend.Availability::isAvailable)
        .map(Backend.Availability::name)
        .toList();
  }

  /** A case of one's own: F32 inputs, F64 outputs, each with the step as first extent. */
  static final class Builder {
    private final String method;
    private final int steps;
    private final List<String> inputs = new ArrayList<>();
    private final List<String> outputs = new ArrayList<>();
    private final Map<String, Values> arrays = new LinkedHashMap<>();

    Builder(String method, int steps) {
      this.method = method;
      this.steps = steps;
    }

    Builder input(String name, List<Long> shape, double... values) {
      inputs.add(name);
      arrays.put(name, new Values(name, "F32", shape, values));
      return this;
    }

    Builder output(String name, List<Long> shape, double... values) {
      outputs.add(name);
      arrays.put(name, new Values(name, "F64", shape, values));
      return this;
    }

    GoldenCase build() {
      return new GoldenCase(
          Path.of(method), method, new Hyper(Map.of()), steps, inputs, outputs, Map.of(), arrays);
    }
  }

  /** The same case with other values in one array. */
  static GoldenCase with(GoldenCase golden, Values changed) {
    Map<String, Values> arrays = new LinkedHashMap<>(golden.arrays());
    arrays.put(changed.name(), changed);
    return new GoldenCase(
        golden.file(),
        golden.method(),
        golden.hyper(),
        golden.steps(),
        golden.inputs(),
        golden.outputs(),
        golden.limits(),
        arrays);
  }

  /** What a replay computed, compared. */
  static List<Comparison> compare(GoldenCase golden, Outputs outputs) {
    return golden.outputs().stream()
        .map(name -> Comparison.of(golden, golden.array(name), outputs))
        .toList();
  }
}
