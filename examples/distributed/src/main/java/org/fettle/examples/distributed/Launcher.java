package org.fettle.examples.distributed;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Starts the processes of a run on this machine and says how each of them ended. */
public final class Launcher {
  private static final int MINUTES = 5;

  private final List<Process> processes = new ArrayList<>();
  private final List<Path> logs = new ArrayList<>();

  /**
   * Starts them.
   *
   * @param scratch a folder for the store and the logs
   * @param arguments of {@link Worker}, without rank, processes and store
   * @param environment variables besides this process's
   */
  Launcher(Path scratch, int count, List<String> arguments, Map<String, String> environment)
      throws IOException {
    Path store = Files.createTempDirectory(scratch, "start").resolve("store");
    for (int rank = 0; rank < count; rank++) {
      List<String> command = command(scratch);
      command.addAll(
          List.of("--rank", "" + rank, "--processes", "" + count, "--store", store.toString()));
      command.addAll(arguments);
      Path log = store.resolveSibling("rank-" + rank + ".log");
      logs.add(log);
      processes.add(start(command, log, environment));
    }
  }

  private static List<String> command(Path scratch) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-Xmx512m");
    // One libtorch only: that of the preset, whatever the system has.
    command.add("-Djava.library.path=" + scratch.resolve("none"));
    command.add(
        "-Dorg.bytedeco.javacpp.cachedir="
            + System.getProperty("org.bytedeco.javacpp.cachedir", scratch + "/cache"));
    // Which kernels, and from where, is the launcher's to say.
    for (String name : System.getProperties().stringPropertyNames()) {
      if (name.startsWith("fettle.")) {
        command.add("-D" + name + "=" + System.getProperty(name));
      }
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(Worker.class.getName());
    return command;
  }

  private static Process start(List<String> command, Path log, Map<String, String> environment)
      throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().put("OPENBLAS_NUM_THREADS", "1");
    builder.environment().put("OMP_NUM_THREADS", "1");
    builder.environment().putAll(environment);
    return builder.start();
  }

  Process process(int rank) {
    return processes.get(rank);
  }

  String log(int rank) throws IOException {
    return Files.readString(logs.get(rank));
  }

  /** The logs of all, for messages. */
  String logs() throws IOException {
    StringBuilder text = new StringBuilder();
    for (int rank = 0; rank < logs.size(); rank++) {
      text.append("---- rank ").append(rank).append("\n").append(log(rank));
    }
    return text.toString();
  }

  /** Waits for all; a line for each that did not end well. Nobody outlives this call. */
  List<String> await() throws InterruptedException {
    List<String> failures = new ArrayList<>();
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(MINUTES);
    for (int rank = 0; rank < processes.size(); rank++) {
      Process process = processes.get(rank);
      if (!process.waitFor(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS)) {
        process.destroyForcibly().waitFor();
        failures.add("rank " + rank + " did not end within " + MINUTES + " minutes");
      } else if (process.exitValue() == Worker.LOST) {
        failures.add("rank " + rank + " lost another process");
      } else if (process.exitValue() != 0) {
        int status = process.exitValue();
        failures.add(
            "rank "
                + rank
                + (status > 128
                    ? " was killed by signal " + (status - 128)
                    : " ended with status " + status));
      }
    }
    return failures;
  }

  /** {@code --processes N} and the arguments of a worker. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    List<String> rest = new ArrayList<>(List.of(arguments));
    int at = rest.indexOf("--processes");
    int count = at < 0 ? 1 : Integer.parseInt(rest.get(at + 1));
    if (at >= 0) {
      rest.subList(at, at + 2).clear();
    }
    Launcher launcher = new Launcher(Files.createTempDirectory("fettle"), count, rest, Map.of());
    List<String> failures = launcher.await();
    System.out.print(launcher.log(0));
    failures.forEach(System.out::println);
    System.exit(failures.isEmpty() ? 0 : 1);
  }
}
