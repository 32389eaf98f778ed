package org.fettle.examples.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.fettle.demo.DataSource;
import org.fettle.examples.distributed.Meeting;
import org.fettle.examples.distributed.Worker;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A cluster of two workers, each with an executor in a JVM of its own: the bits of one process
 * without Spark, also where a task throws or an executor dies on the way. Without the images the
 * test says that it did not run.
 */
class SparkTrainingTest {
  private static final int NEWEST_JAVA = 23;
  private static final String[] RUN = {"--send", "INT8", "--steps", "12", "--save-every", "5"};

  private static final Path EMULATION =
      Path.of(System.getProperty("fettle.root"), "target/cmake/test/emulated/libcudart.so.13");

  @TempDir static Path scratch;
  private static Path data;
  private static JavaSparkContext spark;
  private static final AtomicInteger ATTEMPTS = new AtomicInteger();
  private static String checksum;

  @BeforeAll
  static void start() throws Exception {
    if (Runtime.version().feature() > NEWEST_JAVA) {
      System.err.println("############ NOT RUN: training as a stage of Spark ############");
      abort("NOT RUN: Spark 4.1's Hadoop calls Subject.getSubject, which is gone from Java 24 on");
    }
    try {
      PrintWriter log = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
      data = new DataSource(Path.of(System.getProperty("fettle.root"), "target"), log).find();
    } catch (IOException e) {
      System.err.println("############ NOT RUN: training as a stage of Spark ############");
      abort("NOT RUN: " + e.getMessage());
    }
    spark = new JavaSparkContext(cluster());
    spark
        .sc()
        .addSparkListener(
            new SparkListener() {
              @Override
              public void onStageSubmitted(SparkListenerStageSubmitted stage) {
                if (stage.stageInfo().numTasks() == 2) {
                  ATTEMPTS.incrementAndGet();
                }
              }
            });
    String store = scratch.resolve("store").toString();
    try (Meeting alone = Meeting.open(store, 0, 1)) {
      String result = Worker.run(alone, arguments("alone")).get(0);
      checksum = result.substring(result.lastIndexOf(' ') + 1);
    }
  }

  private static SparkConf cluster() throws IOException {
    String options =
        "--enable-native-access=ALL-UNNAMED -Dorg.bytedeco.javacpp.cachedir="
            + System.getProperty("org.bytedeco.javacpp.cachedir");
    SparkConf settings =
        new SparkConf()
            .setAppName("Fettle")
            .setMaster("local-cluster[2,1,1024]")
            .set("spark.ui.enabled", "false")
            // Not a stage before both executors are there, and soon after one is there again.
            .set("spark.scheduler.minRegisteredResourcesRatio", "1.0")
            .set("spark.scheduler.barrier.maxConcurrentTasksCheck.interval", "1s")
            .set("spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures", "120")
            .set("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .set("spark.executor.extraJavaOptions", options);
    if (Files.exists(EMULATION)) {
      // A GPU for each worker: the second of the two that the emulation has.
      Path script = scratch.resolve("gpu.sh");
      Files.writeString(script, "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"1\"]}'\n");
      Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
      settings
          .set("spark.worker.resource.gpu.amount", "1")
          .set("spark.worker.resource.gpu.discoveryScript", script.toString())
          .set("spark.executor.resource.gpu.amount", "1")
          .set("spark.task.resource.gpu.amount", "1")
          .set("spark.executorEnv.LD_LIBRARY_PATH", EMULATION.getParent().toString())
          .set("spark.executorEnv.LD_PRELOAD", EMULATION.toString())
          .set(
              "spark.executor.extraJavaOptions",
              options
                  + " -Dfettle.cuda.library.path="
                  + EMULATION.resolveSibling("libfettle_cuda.so"));
    }
    return settings;
  }

  @AfterAll
  static void stop() {
    if (spark != null) {
      spark.close();
    }
  }

  private static List<String> arguments(String folder, String... more) {
    List<String> arguments = new ArrayList<>(List.of(RUN));
    arguments.addAll(List.of("--data", data.toString()));
    arguments.addAll(List.of("--folder", scratch.resolve(folder).toString()));
    arguments.addAll(Arrays.asList(more));
    return arguments;
  }

  /** Both ranks have the bits of one process, after so many attempts. */
  private static void assertBits(String folder, int attempts, int first, String... more)
      throws Exception {
    int before = ATTEMPTS.get();
    List<String> results = SparkTraining.run(spark, 2, arguments(folder, more));
    String expected = " from step " + first + " result " + checksum;
    assertEquals(List.of("INT8 rank 0" + expected, "INT8 rank 1" + expected), results);
    // Spark tells its listeners later.
    for (int i = 0; i < 100 && ATTEMPTS.get() < before + attempts; i++) {
      Thread.sleep(50);
    }
    assertEquals(attempts, ATTEMPTS.get() - before, "attempts of the stage");
  }

  @Test
  void aStageHasTheBitsOfOneProcess() throws Exception {
    assertBits("undisturbed", 1, 0);
  }

  @Test
  void aTaskThatThrowsMakesTheStageResume() throws Exception {
    assertBits("thrown", 2, 5, "--fault", "THROW:1:7");
  }

  @Test
  void anExecutorThatDiesMakesTheStageResume() throws Exception {
    assertBits("halted", 2, 5, "--fault", "HALT:1:7");
  }

  @Test
  void aStageOnGpusHasTheBitsOfTheHost() throws Exception {
    if (!Files.exists(EMULATION)) {
      System.err.println(
          "############ NOT RUN: Spark with NCCL, against the emulation ############");
      abort("NOT RUN: " + EMULATION + " is not there");
    }
    assertBits("gpu", 2, 5, "--device", "cuda", "--fault", "THROW:1:7");
  }
}
