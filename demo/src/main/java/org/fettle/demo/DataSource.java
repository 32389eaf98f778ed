package org.fettle.demo;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Finds Fashion-MNIST: installed, unpacked by an earlier run, or fetched now as Debian's package,
 * which needs no root.
 */
public final class DataSource {
  private static final String PACKAGE = "dataset-fashion-mnist";
  private static final Path INSTALLED = Path.of("usr", "share", "datasets", "fashion-mnist");
  private static final int MINUTES = 5;

  private final Path build;
  private final PrintWriter log;

  /**
   * A source that keeps what it fetches.
   *
   * @param build the folder for build products
   * @param log is told when something is fetched
   */
  public DataSource(Path build, PrintWriter log) {
    this.build = build;
    this.log = log;
  }

  /**
   * The folder with the data.
   *
   * @throws IOException if there is none and it cannot be fetched; the message says what to do
   */
  public Path find() throws IOException {
    Path installed = Path.of("/").resolve(INSTALLED);
    if (Dataset.isIn(installed)) {
      return installed;
    }
    Path unpacked = build.resolve(PACKAGE);
    if (!Dataset.isIn(unpacked.resolve(INSTALLED))) {
      fetch(unpacked);
    }
    return unpacked.resolve(INSTALLED);
  }

  private void fetch(Path unpacked) throws IOException {
    log.println("Fetching Fashion-MNIST, Debian's package " + PACKAGE + " (31 MB, once)");
    Files.createDirectories(build);
    Path work = Files.createTempDirectory(build, PACKAGE);
    try {
      List<String> download =
          List.of("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE);
      Optional<String> failure = run(work, download);
      if (failure.isPresent() && run(work, List.of("apt-get", "-q", "update")).isEmpty()) {
        // A fresh container has no package lists; only root may fetch them.
        failure = run(work, download);
      }
      if (failure.isPresent()) {
        throw new IOException(advice(failure.get()));
      }
      failure =
          run(work, List.of("dpkg-deb", "-x", packageIn(work).toString(), work + "/unpacked"));
      if (failure.isPresent() || !Dataset.isIn(work.resolve("unpacked").resolve(INSTALLED))) {
        throw new IOException(advice(failure.orElse("the package holds other files")));
      }
      delete(unpacked);
      Files.move(work.resolve("unpacked"), unpacked, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      delete(work);
    }
  }

  private static Path packageIn(Path folder) throws IOException {
    try (DirectoryStream<Path> packages = Files.newDirectoryStream(folder, "*.deb")) {
      for (Path file : packages) {
        return file;
      }
    }
    throw new IOException(advice("apt-get left no package behind"));
  }

  /** Runs a program quietly. Empty if it succeeded, else what it said last. */
  private static Optional<String> run(Path folder, List<String> command) throws IOException {
    Path log = Files.createTempFile(folder, "log", ".txt");
    try {
      Process process =
          new ProcessBuilder(command)
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      process.getOutputStream().close();
      if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        return Optional.of(command.get(0) + " did not end within " + MINUTES + " minutes");
      }
      if (process.exitValue() == 0) {
        return Optional.empty();
      }
      List<String> lines = Files.readAllLines(log).stream().filter(s -> !s.isBlank()).toList();
      return Optional.of(
          command.get(0) + ": " + (lines.isEmpty() ? "failed" : lines.get(lines.size() - 1)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(command.get(0) + " was interrupted", e);
    } catch (IOException e) {
      return Optional.of(command.get(0) + " cannot be run");
    }
  }

  private static String advice(String reason) {
    return """
    Fashion-MNIST is not there and could not be fetched (%s).
    Any of these helps:
      * on Debian or Ubuntu: sudo apt-get update, then run this again; or sudo apt-get install %s
      * elsewhere: take the four files of https://github.com/zalandoresearch/fashion-mnist
        (data/fashion), or of any other data set in MNIST's format, plain or .gz,
        and name their folder: ./fettle demo --data FOLDER\
    """
        .formatted(reason, PACKAGE);
  }

  private static void delete(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      try (DirectoryStream<Path> children = Files.newDirectoryStream(path)) {
        for (Path child : children) {
          delete(child);
        }
      }
    }
    Files.deleteIfExists(path);
  }
}
