package org.fettle.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fettle.internal.NativeLibrary;

/**
 * Where the numbers come from. No names of hosts or people.
 *
 * @param cpu the model
 * @param processors that the JVM sees
 * @param caches of the first core
 * @param memory of the machine
 * @param hugePages the kernel's policy
 * @param tiers what the CPU supports
 * @param java the JVM
 */
record Machine(
    String cpu,
    int processors,
    String caches,
    String memory,
    String hugePages,
    String tiers,
    String java) {
  static Machine here() {
    String info = read("/proc/cpuinfo");
    String cpu =
        find(info, "model name\\s*: (.*)")
            + " (family "
            + find(info, "cpu family\\s*: (.*)")
            + ", model "
            + find(info, "model\\s*: (.*)")
            + ")";
    double gibibytes = number(find(read("/proc/meminfo"), "MemTotal:\\s*(\\d+)")) / (1 << 20);
    return new Machine(
        cpu,
        Runtime.getRuntime().availableProcessors(),
        describeCaches(),
        String.format("%.0f GiB", gibibytes),
        find(read("/sys/kernel/mm/transparent_hugepage/enabled"), "\\[(\\w+)]"),
        String.join(" ", NativeLibrary.tierNames()),
        System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
  }

  /** One line. */
  @Override
  public String toString() {
    return String.format(
        "%s, %d processors, %s, %s of memory, transparent huge pages on %s; tiers %s; %s",
        cpu, processors, caches, memory, hugePages, tiers, java);
  }

  private static String describeCaches() {
    List<String> caches = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      String folder = "/sys/devices/system/cpu/cpu0/cache/index" + i + "/";
      String type = read(folder + "type").strip();
      if (type.equals("Data") || type.equals("Unified")) {
        String level = "L" + read(folder + "level").strip() + (type.equals("Data") ? "d" : "");
        caches.add(level + " " + read(folder + "size").strip().replace("K", " KiB"));
      }
    }
    return caches.isEmpty() ? "caches unknown" : String.join(", ", caches);
  }

  private static double number(String text) {
    return text.equals("?") ? 0 : Double.parseDouble(text);
  }

  private static String find(String text, String pattern) {
    Matcher matcher = Pattern.compile("(?m)^.*?" + pattern).matcher(text);
    return matcher.find() ? matcher.group(1).strip() : "?";
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      return "";
    }
  }
}
