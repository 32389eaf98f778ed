package org.fettle.examples.distributed;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.fettle.distributed.Compression;

/**
 * What a run is made of; the same for all processes but for the rank.
 *
 * @param rank of this process, from 0
 * @param processes how many there are: divides the workers
 * @param workers how many there are: a mini-batch is cut into one part per worker, wherever the
 *     worker lives, so that results do not depend on the number of processes
 * @param store where the processes find each other: {@link Meeting#open}
 * @param listen this machine's address, at which the others reach this process
 * @param device {@code cpu} for Gloo; {@code cuda:N} for NCCL, or {@code cuda} for the rank's turn
 *     among the devices of its machine
 * @param folder for checkpoints
 * @param data folder of an MNIST-like data set
 * @param compressions what is sent; one training run each
 * @param steps of a run
 * @param batch images of a mini-batch
 * @param saveEvery steps between checkpoints, 0 for none
 * @param resume whether to go on from the last complete checkpoint
 * @param fault what goes wrong, for tests; null for nothing
 * @param measure elements of a gradient whose exchange is timed instead of training, 0 to train
 */
record Settings(
    int rank,
    int processes,
    int workers,
    String store,
    String listen,
    String device,
    Path folder,
    Path data,
    List<Compression> compressions,
    int steps,
    int batch,
    int saveEvery,
    boolean resume,
    Fault fault,
    long measure) {

  /** How a process goes wrong. */
  enum FaultKind {
    /** It waits, longer than the others do. */
    WAIT,
    /** It throws. */
    THROW,
    /** Its JVM ends. */
    HALT
  }

  /**
   * Something that goes wrong, written {@code KIND:RANK:STEP}.
   *
   * @param kind how
   * @param rank in which process
   * @param step before which step
   */
  record Fault(FaultKind kind, int rank, int step) {
    static Fault parse(String text) {
      String[] parts = text.split(":", -1);
      return new Fault(
          FaultKind.valueOf(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2]));
    }
  }

  /** From {@code --name value} pairs; of two with one name the last counts. */
  static Settings parse(List<String> arguments) {
    Map<String, String> given = new HashMap<>();
    for (int i = 0; i + 1 < arguments.size(); i += 2) {
      given.put(arguments.get(i), arguments.get(i + 1));
    }
    List<Compression> compressions = new ArrayList<>();
    for (String name : given.getOrDefault("--send", "F32").split(",", -1)) {
      compressions.add(Compression.valueOf(name));
    }
    Settings settings =
        new Settings(
            number(given, "--rank", 0),
            number(given, "--processes", 1),
            number(given, "--workers", 4),
            given.getOrDefault("--store", "store"),
            given.getOrDefault("--listen", "127.0.0.1"),
            given.getOrDefault("--device", "cpu"),
            Path.of(given.getOrDefault("--folder", "run")),
            Path.of(given.getOrDefault("--data", "/usr/share/datasets/fashion-mnist")),
            List.copyOf(compressions),
            number(given, "--steps", 40),
            number(given, "--batch", 64),
            number(given, "--save-every", 0),
            Boolean.parseBoolean(given.get("--resume")),
            given.containsKey("--fault") ? Fault.parse(given.get("--fault")) : null,
            number(given, "--measure", 0));
    if (settings.processes < 1
        || settings.workers % settings.processes != 0
        || settings.batch % settings.workers != 0) {
      throw new IllegalArgumentException(
          settings.processes
              + " processes, "
              + settings.workers
              + " workers, batch "
              + settings.batch
              + ": expected each to divide the next");
    }
    return settings;
  }

  private static int number(Map<String, String> given, String name, int otherwise) {
    return given.containsKey(name) ? Integer.parseInt(given.get(name)) : otherwise;
  }

  /** Workers, and shards, of one process. */
  int workersHere() {
    return workers / processes;
  }

  /** The first worker, and shard, of this process. */
  int firstWorker() {
    return rank * workersHere();
  }
}
