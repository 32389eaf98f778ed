package org.fettle.benchmarks;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Tensor;

/**
 * Measures the kernels besides steps: ours, the memory ceiling and a peer's operation in turn, in a
 * JVM that sees one processor, so that everyone has one thread.
 */
final class KernelBench {
  private static final Gson GSON =
      new GsonBuilder().serializeSpecialFloatingPointValues().setPrettyPrinting().create();
  // The ceiling that all are compared with: an array in place and one that is read.
  private static final List<Shape.Pass> COMMON =
      List.of(
          Shape.Pass.of(
              Shape.Stream.inPlace("changed", DType.F32), Shape.Stream.read("read", DType.F32)));
  private static final double COMMON_BYTES = new Shape(COMMON).bytesPerElement();
  private static final String OWN = "own passes";
  private static final String PAST = "own passes, past the caches";

  /** What the child is asked. */
  private record Request(
      boolean sparse, String only, Rounds.Settings settings, boolean peers, String answer) {}

  private KernelBench() {}

  /** The kernels, or the sparse products alone. */
  static List<KernelCase> cases(boolean sparse) {
    return sparse ? ProductCases.sparse() : KernelCases.all();
  }

  static List<KernelResult> run(
      boolean sparse, Pattern only, Rounds.Settings settings, boolean peers)
      throws IOException, InterruptedException {
    String pattern = only == null ? "" : only.pattern();
    String answer =
        ChildJvm.ask(
            "the kernels",
            KernelBench.class,
            List.of("-XX:ActiveProcessorCount=1", "-XX:MaxDirectMemorySize=4g", "-Xmx1g"),
            file -> GSON.toJson(new Request(sparse, pattern, settings, peers, file.toString())));
    return List.of(GSON.fromJson(answer, KernelResult[].class));
  }

  /** The child. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Request request = GSON.fromJson(args[0], Request.class);
    Pattern only = Pattern.compile(request.only);
    List<Peer> peers = request.peers ? Peer.all() : List.of();
    List<KernelResult> results = new ArrayList<>();
    for (KernelCase one : cases(request.sparse)) {
      if (only.matcher(one.name()).find()) {
        System.err.println(one.name() + " " + one.size());
        results.add(measure(one, peers, request.settings));
        // The arrays are direct buffers.
        System.gc();
      }
    }
    Files.writeString(Path.of(request.answer), GSON.toJson(results));
  }

  private static KernelResult measure(KernelCase one, List<Peer> peers, Rounds.Settings settings)
      throws InterruptedException {
    Map<String, Tensor> arrays = new LinkedHashMap<>();
    List<Contestant> contestants = new ArrayList<>();
    contestants.add(contestant("ours", one.make().on(Backend.named("cpu"), arrays)));
    if (!one.isProduct()) {
      contestants.add(new KernelCeiling(Result.CEILING, COMMON, KernelCases.LARGE, false));
      int elements = (int) one.elements();
      contestants.add(new KernelCeiling(OWN, one.passes(), elements, false));
      contestants.add(new KernelCeiling(PAST, one.passes(), elements, true));
    }
    Peer.Operation known = null;
    for (Peer peer : peers) {
      Peer.Operation operation = peer.kernel(one.name(), arrays);
      if (operation != null) {
        known = operation;
        contestants.add(contestant("peer", operation.run()));
      }
    }
    Map<String, double[]> nanos;
    try {
      nanos = Rounds.run(contestants, settings, false);
    } finally {
      contestants.forEach(Contestant::close);
    }
    Result.Fork fork = new Result.Fork("ours", nanos);
    double ofCeiling = Double.NaN;
    double ofOwn = Double.NaN;
    if (!one.isProduct()) {
      ofCeiling =
          fork.speed("ours", Result.CEILING)
              * (one.bytes() * one.elements())
              / (COMMON_BYTES * KernelCases.LARGE);
      ofOwn = Math.min(fork.speed("ours", OWN), fork.speed("ours", PAST));
    }
    return new KernelResult(
        one.name(),
        one.size(),
        one.bytes(),
        one.operations(),
        fork.nanosPerStep("ours") / one.elements(),
        ofCeiling,
        ofOwn,
        known == null ? "" : known.name(),
        known == null ? Double.NaN : fork.speed("ours", "peer"),
        known == null ? 0 : known.operations(),
        known == null ? 0 : known.bytes());
  }

  private static Contestant contestant(String name, Runnable work) {
    return new Contestant() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public void step() {
        work.run();
      }
    };
  }
}
