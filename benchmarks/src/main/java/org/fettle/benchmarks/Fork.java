package org.fettle.benchmarks;

import com.google.gson.Gson;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One case in a JVM of its own: compiled code and memory layout differ from fork to fork. */
final class Fork {
  private static final Gson GSON = new Gson();

  /** What the child is asked. */
  private record Request(
      Cases.Selection selection,
      String name,
      Rounds.Settings settings,
      boolean withPeers,
      String answer) {}

  private Fork() {}

  /**
   * Measures a case in a child.
   *
   * @param selection the list that the case is of
   */
  static Result.Fork run(
      Cases.Selection selection, Case one, Rounds.Settings settings, boolean withPeers)
      throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("fettle-bench");
    Path answer = folder.resolve("answer.json");
    // libtorch must not find a second one of a distribution.
    Path nothing = Files.createDirectory(folder.resolve("nothing"));
    try {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
      command.addAll(
          List.of(
              "-Xms512m",
              "-Xmx512m",
              "-Djava.library.path=" + nothing,
              // JavaCPP would count the arrays against the Java heap.
              "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
              "-cp",
              System.getProperty("java.class.path"),
              Fork.class.getName(),
              GSON.toJson(
                  new Request(selection, one.name(), settings, withPeers, answer.toString()))));
      Process child =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.INHERIT)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      int status = child.waitFor();
      if (status != 0) {
        throw new IllegalStateException(one.name() + ": the child ended with status " + status);
      }
      return GSON.fromJson(Files.readString(answer), Result.Fork.class);
    } finally {
      Files.deleteIfExists(answer);
      Files.delete(nothing);
      Files.delete(folder);
    }
  }

  /** The child. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Request request = GSON.fromJson(args[0], Request.class);
    List<Case> cases = request.selection.cases();
    Case one = cases.stream().filter(c -> c.name().equals(request.name)).findFirst().orElseThrow();
    List<Peer> peers = one.withPeers() && request.withPeers ? Peer.all() : List.of();
    Result.Fork fork = one.measure(request.settings, peers);
    Files.writeString(Path.of(request.answer), GSON.toJson(fork));
  }
}
