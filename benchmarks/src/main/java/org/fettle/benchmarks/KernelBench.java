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
import org.fettle.internal.NativeLibrary;

/**
 * Measures the kernels besides steps: ours, the memory ceiling and a peer's operation in turn, in a
 * JVM that sees one processor, so that everyone has one thread.
 */
final class KernelBench {
  private static final Gson GSON =
      new GsonBuilder().serializeSpecialFloatingPointValues().setPrettyPrinting().create();
  private static final int CEILING_ELEMENTS = 10_000_000;
  // Read and written in place, and read.
  private static final double CEILING_BYTES = 12;

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
      contestants.add(new Roof());
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
    double ofCeiling =
        !one.isProduct()
            ? fork.speed("ours", "ceiling")
                * (one.bytes() * one.elements())
                / (CEILING_BYTES * CEILING_ELEMENTS)
            : Double.NaN;
    return new KernelResult(
        one.name(),
        one.size(),
        one.bytes(),
        one.operations(),
        fork.nanosPerStep("ours") / one.elements(),
        ofCeiling,
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

  /** The memory ceiling: one array in place and one that is read, next to no arithmetic. */
  private static final class Roof implements Contestant {
    private final int pass;
    private final int tier = (NativeLibrary.tiers() & 4) != 0 ? 4 : 3;
    private final Tensor changed = Tensor.allocate(DType.F32, CEILING_ELEMENTS);
    private final Tensor read = Tensor.allocate(DType.F32, CEILING_ELEMENTS);
    private final Tensor table = Tensor.allocate(DType.I64, 2);

    Roof() {
      Passes.load();
      pass = Passes.find("i1r1w0.i0r0w0.i0r0w0");
      table
          .buffer()
          .order(java.nio.ByteOrder.nativeOrder())
          .putLong(0, changed.address())
          .putLong(Long.BYTES, read.address());
    }

    @Override
    public String name() {
      return Result.CEILING;
    }

    @Override
    public void step() {
      Passes.run(pass, tier, table.address(), 0, 1, 0, CEILING_ELEMENTS, 0);
    }
  }
}
