package org.fettle;

import java.io.PrintStream;
import java.util.concurrent.ForkJoinPool;
import org.fettle.internal.Access;
import org.fettle.internal.BuildInfo;
import org.fettle.internal.CudaLibrary;
import org.fettle.internal.NativeLibrary;
import org.fettle.internal.algebra.Products;

/** Prints what Fettle found on this machine, what it would use, and why not the rest. */
public final class Doctor {
  private Doctor() {}

  /** Prints the report. Takes no arguments. */
  public static void main(String[] args) {
    report(System.out);
  }

  static void report(PrintStream out) {
    line(out, "fettle", BuildInfo.version());
    line(
        out,
        "java",
        System.getProperty("java.version")
            + ", "
            + System.getProperty("java.vendor")
            + ", "
            + System.getProperty("java.home"));
    line(
        out,
        "system",
        System.getProperty("os.name")
            + " "
            + System.getProperty("os.version")
            + ", "
            + System.getProperty("os.arch"));
    line(
        out,
        "threads",
        Runtime.getRuntime().availableProcessors()
            + " processors, common pool of "
            + ForkJoinPool.getCommonPoolParallelism());
    line(out, "javacpp", javacpp());
    line(out, "build id", String.valueOf(BuildInfo.nativeBuildId()));
    if (NativeLibrary.isLoaded()) {
      line(out, "cpu library", NativeLibrary.origin());
      line(out, "cpu tiers", String.join(", ", NativeLibrary.tierNames()));
      for (String tier : NativeLibrary.missingTierNames()) {
        line(out, "cpu tier " + tier, "not used: this CPU or operating system does not support it");
      }
    } else {
      line(out, "cpu library", "not loaded: " + NativeLibrary.reason());
    }
    backends(out);
    if (CudaLibrary.isOpen()) {
      line(out, "cuda library", CudaLibrary.origin());
    } else {
      line(out, "cuda library", "not used: " + CudaLibrary.reason());
    }
    for (CudaLibrary.Device device : CudaLibrary.devices()) {
      line(
          out,
          "cuda device " + device.index(),
          String.format(
              "%s, compute capability %d.%d, %d multiprocessors, %d MiB, driver for CUDA %s, runtime"
                  + " %s",
              device.name(),
              device.computeMajor(),
              device.computeMinor(),
              device.multiprocessors(),
              device.memoryBytes() >> 20,
              cudaVersion(device.driverVersion()),
              cudaVersion(device.runtimeVersion())));
    }
    products(out);
  }

  /** Steps with matrix products need more than the CUDA library. */
  private static void products(PrintStream out) {
    for (Backend.Availability backend : Backend.all()) {
      if (backend.isAvailable() && backend.name().startsWith("cuda")) {
        String state = "cuBLAS and cuSOLVER";
        try {
          Products.of(Access.engine(Backend.named(backend.name())));
        } catch (IllegalStateException e) {
          state = "none: " + e.getMessage();
        }
        line(out, "products " + backend.name(), state);
      }
    }
  }

  private static void backends(PrintStream out) {
    String forced = System.getProperty("fettle.backend");
    String chosen;
    try {
      chosen = Backend.best().name();
    } catch (IllegalStateException | IllegalArgumentException e) {
      chosen = "none";
      line(out, "backend", e.getMessage());
    }
    for (Backend.Availability backend : Backend.all()) {
      String state = "available";
      if (!backend.isAvailable()) {
        state = "not available: " + backend.reason();
      } else if (backend.name().equals(chosen)) {
        state = "chosen for tensors on the CPU";
      } else if (backend.name().startsWith("cuda")) {
        state = "available, for tensors on its device";
      } else if (forced != null) {
        state = "available, not chosen: -Dfettle.backend forces " + forced;
      } else {
        state = "available, not chosen: " + chosen + " is faster and gives the same bits";
      }
      boolean slow = backend.name().equals("java") && !Arithmetic.hardwareFma();
      line(out, "backend " + backend.name(), state + (slow ? "; slow: no fma instruction" : ""));
    }
  }

  private static String javacpp() {
    String built = BuildInfo.javacppVersion();
    String found = NativeLibrary.javacppRuntimeVersion();
    if (found == null) {
      return "built with " + built + "; none is on the class path";
    }
    return built.equals(found)
        ? built
        : "WARNING: built with " + built + ", but " + found + " is on the class path";
  }

  private static String cudaVersion(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  private static void line(PrintStream out, String name, String value) {
    out.printf("%-16s %s%n", name, value);
  }
}
