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
 * @param store where the processes find each other; new for every start
 * @param folder for checkpoints
 * @param data folder of an MNIST-like data set
 * @param compressions what is sent; one training run each
 * @param steps of a run
 * @param batch images of a mini-batch
 * @param saveEvery steps between checkpoints, 0 for none
 * @param resume whether to go on from the last complete checkpoint
 * @param waitRank the process that waits, for a test to kill it; -1 for none
 * @param waitAt in which step
 * @param measure elements of a gradient whose exchange is timed instead of training, 0 to train
 */
record Settings(
    int rank,
    int processes,
    int workers,
    Path store,
    Path folder,
    Path data,
    List<Compression> compressions,
    int steps,
    int batch,
    int saveEvery,
    boolean resume,
    int waitRank,
    int waitAt,
    long measure) {

  /** From {@code --name value} pairs. */
  static Settings parse(String[] arguments) {
    Map<String, String> given = new HashMap<>();
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      given.put(arguments[i], arguments[i + 1]);
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
            Path.of(given.getOrDefault("--store", "store")),
            Path.of(given.getOrDefault("--folder", "run")),
            Path.of(given.getOrDefault("--data", "/usr/share/datasets/fashion-mnist")),
            List.copyOf(compressions),
            number(given, "--steps", 40),
            number(given, "--batch", 64),
            number(given, "--save-every", 0),
            Boolean.parseBoolean(given.get("--resume")),
            number(given, "--wait-rank", -1),
            number(given, "--wait-at", -1),
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
