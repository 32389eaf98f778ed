package org.fettle.device;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fettle.Backend;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/**
 * Runs test classes where there is no Maven: {@code DeviceSuite RESULT.json CLASS...}. A backend
 * named by {@code -Dfettle.device.backend} must be there, or nothing is run and the exit status is
 * 3; a class that ran no test at all is a failure.
 */
public final class DeviceSuite {
  private DeviceSuite() {}

  /** Exit status 0: every test passed; 1: one failed; 2: a wrong call; 3: no such backend. */
  public static void main(String[] args) throws Exception {
    if (args.length < 2) {
      System.err.println("DeviceSuite RESULT.json CLASS...");
      System.exit(2);
    }
    String needed = System.getProperty("fettle.device.backend");
    if (needed != null) {
      for (Backend.Availability one : Backend.all()) {
        if (one.name().equals(needed) && !one.isAvailable()) {
          System.out.println("NOT RUN: backend " + needed + ": " + one.reason());
          System.exit(3);
        }
      }
    }
    List<String> lines = new ArrayList<>();
    boolean passed = true;
    for (String name : Arrays.asList(args).subList(1, args.length)) {
      passed &= runOne(name, lines);
    }
    Files.writeString(
        Path.of(args[0]),
        "{\"passed\": " + passed + ", \"classes\": [\n  " + String.join(",\n  ", lines) + "\n]}\n");
    System.exit(passed ? 0 : 1);
  }

  private static boolean runOne(String name, List<String> lines) {
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    Launcher launcher = LauncherFactory.create();
    long start = System.nanoTime();
    launcher.execute(
        LauncherDiscoveryRequestBuilder.request().selectors(selectClass(name)).build(), listener);
    TestExecutionSummary summary = listener.getSummary();
    double seconds = (System.nanoTime() - start) * 1e-9;
    boolean passed = summary.getTotalFailureCount() == 0 && summary.getTestsSucceededCount() > 0;
    System.out.printf(
        "%-6s %-50s %d passed, %d failed, %d skipped, %.1f s%n",
        passed ? "pass" : "FAIL",
        name,
        summary.getTestsSucceededCount(),
        summary.getTotalFailureCount(),
        summary.getTestsSkippedCount() + summary.getTestsAbortedCount(),
        seconds);
    summary.printFailuresTo(new PrintWriter(System.out, true, StandardCharsets.UTF_8), 30);
    lines.add(
        String.format(
            "{\"class\": \"%s\", \"passed\": %d, \"failed\": %d, \"skipped\": %d, \"seconds\": %.3f}",
            name,
            summary.getTestsSucceededCount(),
            summary.getTotalFailureCount(),
            summary.getTestsSkippedCount() + summary.getTestsAbortedCount(),
            seconds));
    return passed;
  }
}
