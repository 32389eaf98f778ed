package org.fettle.benchmarks;

import com.google.gson.Gson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
    String answer =
        ChildJvm.ask(
            one.name(),
            Fork.class,
            List.of("-Xms512m", "-Xmx512m"),
            file ->
                GSON.toJson(
                    new Request(selection, one.name(), settings, withPeers, file.toString())));
    return GSON.fromJson(answer, Result.Fork.class);
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
