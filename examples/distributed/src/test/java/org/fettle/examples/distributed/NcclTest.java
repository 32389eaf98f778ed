package org.fettle.examples.distributed;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fettle.distributed.Compression;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The NCCL form against the emulated CUDA library and an emulated NCCL, to which the preset's own
 * JNI libraries are bound: the bits of one process on the CPU, and a process that dies, leaves or
 * does not answer. Says that it did not run where the emulation was not built.
 */
class NcclTest {
  private static final Path EMULATION =
      Path.of(System.getProperty("fettle.root"), "target", "cmake", "test", "emulated");
  private static final String LIBRARY = "fettle.cuda.library.path";
  private static final String TIMEOUT = "fettle.example.timeout";

  @TempDir static Path scratch;
  private static Path data;

  @BeforeAll
  static void needsTheEmulation() {
    Path runtime = EMULATION.resolve("libcudart.so.13");
    if (!Files.exists(runtime)) {
      System.err.println("############ NOT RUN: NCCL, against the emulation ############");
      abort(
          "NOT RUN: "
              + runtime
              + " is not there; cmake --preset test && cmake --build --preset test"
              + " --target fettle_emulated_nccl fettle_emulated_cudart fettle_emulated_driver");
    }
    data = DistributedTest.data("NCCL, against the emulation");
    // For the processes that the launcher starts.
    System.setProperty(LIBRARY, EMULATION.resolve("libfettle_cuda.so").toString());
    System.setProperty(TIMEOUT, "10");
  }

  @AfterAll
  static void forget() {
    System.clearProperty(LIBRARY);
    System.clearProperty(TIMEOUT);
  }

  private static Launcher start(int processes, String device, String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("--device", device));
    arguments.addAll(List.of("--data", data.toString()));
    arguments.addAll(Arrays.asList(more));
    Map<String, String> environment =
        Map.of(
            "LD_LIBRARY_PATH",
            EMULATION.toString(),
            // Before the toolkit's own, which JavaCPP would find.
            "LD_PRELOAD",
            EMULATION.resolve("libcudart.so.13").toString());
    return new Launcher(scratch, processes, arguments, environment);
  }

  private static String folder(String name) {
    return scratch.resolve(name).toString();
  }

  @Test
  void aDeviceGivesTheBitsOfTheHost() throws Exception {
    String all = String.join(",", Arrays.stream(Compression.values()).map(Enum::name).toList());
    String[] run = {"--send", all, "--steps", "4", "--folder", folder("bits")};
    Map<String, String> expected = DistributedTest.results(start(1, "cpu", run), 0);
    assertEquals(Compression.values().length, expected.size());
    Launcher launcher = start(2, "cuda", run);
    for (int rank = 0; rank < 2; rank++) {
      assertEquals(expected, DistributedTest.results(launcher, rank), "rank " + rank);
    }
  }

  @Test
  void aRunThatLostAProcessGoesOnFromItsFiles() throws Exception {
    String[] run = {"--send", "INT8", "--steps", "6", "--save-every", "2", "--folder"};
    List<String> undisturbed = new ArrayList<>(List.of(run));
    undisturbed.add(folder("undisturbed"));
    Map<String, String> expected =
        DistributedTest.results(start(1, "cpu", undisturbed.toArray(new String[0])), 0);
    List<String> lost = new ArrayList<>(List.of(run));
    lost.addAll(List.of(folder("lost"), "--fault", "HALT:1:3"));
    Launcher launcher = start(2, "cuda", lost.toArray(new String[0]));
    assertEquals(
        List.of("rank 0 lost another process", "rank 1 ended with status 9"),
        launcher.await(),
        launcher.logs());
    assertTrue(launcher.log(0).contains(": ncclRemoteError"), launcher.log(0));
    List<String> again = new ArrayList<>(List.of(run));
    again.addAll(List.of(folder("lost"), "--resume", "true"));
    launcher = start(2, "cuda", again.toArray(new String[0]));
    assertEquals(expected, DistributedTest.results(launcher, 0));
    assertTrue(launcher.log(0).contains("INT8 rank 0 from step 2 result "), launcher.log(0));
  }

  @Test
  void aProcessThatThrowsLeavesAndTheOthersKnow() throws Exception {
    Launcher launcher = start(2, "cuda", "--steps", "4", "--fault", "THROW:1:1");
    assertEquals(
        List.of("rank 0 lost another process", "rank 1 ended with status 1"),
        launcher.await(),
        launcher.logs());
    assertTrue(launcher.log(0).contains(": ncclRemoteError"), launcher.log(0));
    assertTrue(launcher.log(1).contains("a fault in step 1"), launcher.log(1));
  }

  @Test
  void aProcessThatDoesNotAnswerIsNotWaitedForAnyLonger() throws Exception {
    Launcher launcher = start(2, "cuda", "--steps", "4", "--fault", "WAIT:1:1");
    launcher.process(0).waitFor();
    launcher.process(1).destroyForcibly();
    assertEquals(
        List.of("rank 0 lost another process", "rank 1 was killed by signal 9"),
        launcher.await(),
        launcher.logs());
    assertTrue(launcher.log(0).contains("exchange: not done within 10 s"), launcher.log(0));
  }
}
