package org.fettle.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.fettle.Backend.Availability;

/** Which engines this machine has, and which one is best. */
public final class Engines {
  static final String PROPERTY = "fettle.backend";

  private static final Pattern CUDA = Pattern.compile("cuda(:\\d{1,4})?");

  private static final System.Logger LOGGER = System.getLogger("org.fettle");

  private Engines() {}

  /** The forced engine, or the best one for tensors on the CPU. */
  public static Engine best() {
    return Best.ENGINE;
  }

  /** The engine of that name. */
  public static Engine named(String name) {
    String missing = missing(name);
    if (missing != null) {
      throw new IllegalStateException("backend " + name + " is not available: " + missing);
    }
    if (name.equals("java")) {
      return new JavaEngine();
    }
    if (name.startsWith("cuda")) {
      return new CudaEngine(cudaIndex(name));
    }
    return new CpuEngine(name.equals("cpu") ? CpuEngine.bestTier() : CpuEngine.tier(name));
  }

  /** Every backend by its full name. */
  public static List<Availability> all() {
    List<Availability> all = new ArrayList<>();
    for (String name : List.of("java", "cpu-v3", "cpu-v4")) {
      all.add(new Availability(name, missing(name)));
    }
    int devices = CudaLibrary.isOpen() ? CudaLibrary.devices().size() : 1;
    for (int i = 0; i < devices; i++) {
      String name = i == 0 ? "cuda" : "cuda:" + i;
      all.add(new Availability(name, missing(name)));
    }
    return all;
  }

  private static int cudaIndex(String name) {
    return name.equals("cuda") ? 0 : Integer.parseInt(name.substring("cuda:".length()));
  }

  private static String missing(String name) {
    if (CUDA.matcher(name).matches()) {
      return CudaEngine.missing(cudaIndex(name));
    }
    return switch (name) {
      case "java" -> null;
      case "cpu" -> missingTier(CpuEngine.V3);
      case "cpu-v3", "cpu-v4" -> missingTier(CpuEngine.tier(name));
      default ->
          throw new IllegalArgumentException(
              "backend " + name + ": expected java, cpu, cpu-v3, cpu-v4, cuda or cuda:N");
    };
  }

  private static String missingTier(int tier) {
    if (!NativeLibrary.isLoaded()) {
      return NativeLibrary.reason();
    }
    return (NativeLibrary.tiers() & tier) != 0
        ? null
        : "this CPU or operating system does not support x86-64-"
            + (tier == CpuEngine.V3 ? "v3" : "v4");
  }

  /** Chosen once; a holder, so that nothing is loaded before it is asked for. */
  private static final class Best {
    static final Engine ENGINE = choose();

    private static Engine choose() {
      String forced = System.getProperty(PROPERTY);
      if (forced != null) {
        Engine engine = named(forced);
        LOGGER.log(
            System.Logger.Level.INFO, "backend " + engine.name() + ", forced by -D" + PROPERTY);
        return engine;
      }
      String missing = missing("cpu");
      Engine engine = missing == null ? named("cpu") : named("java");
      String better = missing != null ? missing : missing("cpu-v4");
      LOGGER.log(
          System.Logger.Level.INFO,
          "backend " + engine.name() + (better == null ? "" : "; not a better one: " + better));
      return engine;
    }
  }
}
