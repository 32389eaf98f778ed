package org.fettle.benchmarks;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.fettle.page.Template;

/** Where runs are kept, one JSON file per form of the command, and the page of all of them. */
final class Store {
  /** Files of runs over steps. */
  private static final List<String> STEPS = List.of("table", "ratios", "rules");

  /** Files of runs over other kernels. */
  private static final List<String> KERNELS = List.of("kernels", "sparse");

  private static final Gson GSON =
      new GsonBuilder().serializeSpecialFloatingPointValues().setPrettyPrinting().create();

  private final Path folder;

  Store(Path folder) {
    this.folder = folder;
  }

  /** {@code target/bench} of the checkout. */
  static Store usual() {
    return new Store(Path.of(System.getProperty("fettle.root", "."), "target", "bench"));
  }

  Path folder() {
    return folder;
  }

  /** The file of a form, such as {@code rules}. */
  Path file(String form) {
    return folder.resolve(form + ".json");
  }

  static void write(Path file, Object report) throws IOException {
    Template.write(file, GSON.toJson(report));
    System.err.println("written: " + file);
  }

  /**
   * Reads a run.
   *
   * @throws IOException if the file is none
   */
  static <T> T read(Path file, Class<T> type) throws IOException {
    try {
      T report = GSON.fromJson(Files.readString(file), type);
      if (report == null) {
        throw new IOException(file + ": expected a run of ./fettle bench, found nothing");
      }
      return report;
    } catch (JsonParseException e) {
      throw new IOException(file + ": expected a run of ./fettle bench: " + e.getMessage(), e);
    }
  }

  /** Everything that was measured here on this machine, the newest first. */
  BenchPage page(Machine machine) throws IOException {
    List<Report> steps = new ArrayList<>();
    for (Path file : newestFirst(STEPS)) {
      Report report = readOrSay(file, Report.class);
      if (report != null && machine.equals(report.machine())) {
        steps.add(report);
      }
    }
    List<KernelReport> kernels = new ArrayList<>();
    for (Path file : newestFirst(KERNELS)) {
      KernelReport report = readOrSay(file, KernelReport.class);
      if (report != null && machine.equals(report.machine())) {
        kernels.add(report);
      }
    }
    return new BenchPage(steps, kernels);
  }

  private List<Path> newestFirst(List<String> forms) {
    return forms.stream()
        .map(this::file)
        .filter(Files::isRegularFile)
        .sorted(Comparator.comparing((Path file) -> file.toFile().lastModified()).reversed())
        .toList();
  }

  private static <T> T readOrSay(Path file, Class<T> type) {
    try {
      return read(file, type);
    } catch (IOException e) {
      System.err.println("left out of the page: " + e.getMessage());
      return null;
    }
  }
}
