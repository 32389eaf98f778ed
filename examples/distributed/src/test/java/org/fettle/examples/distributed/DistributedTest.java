package org.fettle.examples.distributed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fettle.demo.DataSource;
import org.fettle.distributed.Compression;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Processes on loopback, on Fashion-MNIST: the same bits as one process, and a killed worker. The
 * images are Debian's, fetched where they are not there yet; without them the test says that it did
 * not run.
 */
class DistributedTest {
  private static final Pattern RESULT =
      Pattern.compile("(\\w+) rank \\d+ from step \\d+ result (\\w{8})");

  @TempDir Path scratch;
  private static Path data;

  @BeforeAll
  static void findData() {
    data = data("training in several processes");
  }

  /** The images, or an end of the test that says so. */
  static Path data(String what) {
    try {
      PrintWriter log = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
      return new DataSource(Path.of(System.getProperty("fettle.root"), "target"), log).find();
    } catch (IOException e) {
      System.err.println("############ NOT RUN: " + what + " ############");
      return abort("NOT RUN: " + e.getMessage());
    }
  }

  private Launcher start(int processes, String folder, String... more) throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.addAll(List.of("--data", data.toString()));
    arguments.addAll(List.of("--folder", scratch.resolve(folder).toString()));
    arguments.addAll(Arrays.asList(more));
    return new Launcher(scratch, processes, arguments, Map.of());
  }

  /** The checksums of a run that went well, by what was sent. */
  static Map<String, String> results(Launcher launcher, int rank) throws Exception {
    assertEquals(List.of(), launcher.await(), launcher.logs());
    Map<String, String> results = new TreeMap<>();
    Matcher lines = RESULT.matcher(launcher.log(rank));
    while (lines.find()) {
      results.put(lines.group(1), lines.group(2));
    }
    return results;
  }

  @Test
  void severalProcessesGiveTheBitsOfOne() throws Exception {
    String all = String.join(",", Arrays.stream(Compression.values()).map(Enum::name).toList());
    Map<String, String> expected = null;
    for (int processes : new int[] {1, 2, 4}) {
      Launcher launcher = start(processes, "bits-" + processes, "--send", all, "--steps", "20");
      for (int rank = 0; rank < processes; rank++) {
        Map<String, String> results = results(launcher, rank);
        expected = expected == null ? results : expected;
        assertEquals(expected, results, "rank " + rank + " of " + processes);
      }
      if (processes == 1) {
        assertEquals(Compression.values().length, expected.size());
        assertEquals(6, expected.values().stream().distinct().count(), "six different runs");
        assertLossFalls(launcher.log(0));
      }
    }
  }

  /** Of every run in a log. */
  private static void assertLossFalls(String log) {
    List<Double> losses =
        Pattern.compile("step \\d+ loss (\\S+)")
            .matcher(log)
            .results()
            .map(line -> Double.valueOf(line.group(1)))
            .toList();
    for (int first = 0; first < losses.size(); first += 20) {
      double last =
          losses.subList(first + 15, first + 20).stream()
              .mapToDouble(loss -> loss)
              .average()
              .orElseThrow();
      assertTrue(last < 0.8 * losses.get(first), "losses " + losses.subList(first, first + 20));
    }
  }

  @Test
  void aKilledWorkerIsReportedAndTheRunGoesOn() throws Exception {
    String[] run = {"--send", "SIGN", "--steps", "16", "--save-every", "5"};
    Map<String, String> undisturbed = results(start(2, "undisturbed", run), 0);

    List<String> waiting = new ArrayList<>(List.of(run));
    waiting.addAll(List.of("--fault", "WAIT:1:12"));
    Launcher launcher = start(2, "killed", waiting.toArray(new String[0]));
    for (int i = 0; i < 1200 && !launcher.log(1).contains("WAIT in step 12"); i++) {
      Thread.sleep(50);
    }
    launcher.process(1).destroyForcibly();
    assertEquals(
        List.of("rank 0 lost another process", "rank 1 was killed by signal 9"),
        launcher.await(),
        launcher.logs());
    assertTrue(launcher.log(0).contains("rank 0 lost another process: "), launcher.log(0));

    // On another number of processes than before.
    List<String> resumed = new ArrayList<>(List.of(run));
    resumed.addAll(List.of("--resume", "true"));
    Launcher again = start(4, "killed", resumed.toArray(new String[0]));
    assertEquals(undisturbed, results(again, 0));
    assertTrue(again.log(0).contains("SIGN rank 0 from step 10 result "), again.log(0));
  }
}
