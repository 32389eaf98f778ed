package org.fettle.benchmarks;

import java.util.concurrent.TimeUnit;
import org.fettle.Backend;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One step at a time: {@code java -jar benchmarks/target/benchmarks.jar -p rule=lion -p
 * backend=cpu,java}. Do not compare its numbers with each other on a noisy machine; that is what
 * {@link Bench} is for.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(
    value = 2,
    jvmArgsAppend = {
      "--enable-native-access=ALL-UNNAMED",
      "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"
    })
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class StepBenchmark {
  /** The kernel's id in the registry. */
  @Param("adamw")
  public String rule;

  /** A name of {@link Workload.Storage}. */
  @Param("F32")
  public String storage;

  /** A name of {@link Workload.Extra}. */
  @Param("NONE")
  public String extra;

  /** A backend's name. */
  @Param({"java", "cpu-v3", "cpu-v4"})
  public String backend;

  /** The most threads. */
  @Param("1")
  public int threads;

  /** Elements of the one tensor. */
  @Param({"1000", "10000", "1000000", "10000000"})
  public long elements;

  private Arrays arrays;
  private Ours ours;
  private Ceiling ceiling;

  /** Allocates. */
  @Setup(Level.Trial)
  public void open() {
    Workload workload =
        new Workload(
            RuleCatalogue.all().get(rule),
            Workload.Storage.valueOf(storage),
            Workload.Extra.valueOf(extra),
            elements,
            1);
    arrays = new Arrays(workload);
    ours = new Ours(workload, arrays, Backend.named(backend), threads);
    ceiling = new Ceiling(workload, arrays, ours.plan(), threads, 0);
  }

  /** Frees. */
  @TearDown(Level.Trial)
  public void close() {
    ceiling.close();
    ours.close();
    arrays.close();
  }

  /** A whole step. */
  @Benchmark
  public void step() {
    ours.step();
  }

  /** The memory ceiling of the same step. */
  @Benchmark
  public void ceiling() {
    ceiling.step();
  }
}
