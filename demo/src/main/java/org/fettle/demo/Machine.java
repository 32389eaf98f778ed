package org.fettle.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** What the demo ran on. */
final class Machine {
  private Machine() {}

  static Map<String, String> facts(Settings settings) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("processor", processor());
    facts.put("backend", settings.backend() + ", up to " + settings.threads() + " threads a step");
    String blas = System.getenv("OPENBLAS_NUM_THREADS");
    facts.put("OpenBLAS", blas == null ? "as many threads as it likes" : blas + " thread(s)");
    facts.put(
        "Java",
        System.getProperty("java.vm.name")
            + " "
            + System.getProperty("java.version")
            + ", "
            + System.getProperty("java.vendor"));
    facts.put(
        "system",
        System.getProperty("os.name")
            + " "
            + System.getProperty("os.version")
            + ", "
            + System.getProperty("os.arch"));
    return facts;
  }

  private static String processor() {
    String model = "unknown model";
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      model =
          lines
              .filter(line -> line.startsWith("model name"))
              .map(line -> line.substring(line.indexOf(':') + 1).strip())
              .findFirst()
              .orElse(model);
    } catch (IOException e) {
      // Not Linux.
    }
    return model + ", " + Runtime.getRuntime().availableProcessors() + " available";
  }
}
