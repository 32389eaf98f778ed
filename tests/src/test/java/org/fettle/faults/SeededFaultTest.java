package org.fettle.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.fettle.testkit.Machine;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Proves that the same-bits suite can fail. Each fault is one small change to a source file of the
 * Java backend, compiled into classes of its own that go before the real ones in a JVM of its own;
 * the native kernels stay right, and cases of the suite must see the difference.
 *
 * <p>By default every eleventh fault is seeded; {@code -Dfettle.faults=all} seeds them all and
 * looks that the same cases are silent without one. docs/testing.md says what was seeded and
 * caught.
 */
class SeededFaultTest {
  private static final Path SOURCES = Path.of("../java/src/main/java/org/fettle");
  private static final int ARRAYS = 1;
  private static final int STRIDE = 11;

  /** In a file, one text for another. */
  private record Fault(String what, String file, String right, String wrong) {}

  private static final List<Fault> FAULTS =
      List.of(
          new Fault(
              "a product and a sum where an fma is written (SGD)",
              "rules/Sgd.java",
              "p[i] = fma(minusLr, g[i], p[i] * decay)",
              "p[i] = minusLr * g[i] + p[i] * decay"),
          new Fault(
              "the sign of an fma's product (centred RMSProp)",
              "rules/RmsProp.java",
              "fma(-a[i], a[i], v[i])",
              "fma(a[i], a[i], v[i])"),
          new Fault(
              "no clamp at 0 (centred RMSProp)",
              "rules/RmsProp.java",
              "root(larger(fma(-a[i], a[i], v[i]), 0f))",
              "root(fma(-a[i], a[i], v[i]))"),
          new Fault(
              "the order of a sum (RMSProp)",
              "rules/RmsProp.java",
              "g[i] = g[i] / (root(v[i]) + addend)",
              "g[i] = g[i] / root(v[i] + addend * addend)"),
          new Fault(
              "the moment before its update (Lion)",
              "rules/Lion.java",
              "sign(kept + taken)",
              "sign(kept)"),
          new Fault(
              "a ratio's zero norm not looked at (LAMB)",
              "rules/Lamb.java",
              "adapt && !neither",
              "adapt"),
          new Fault(
              "the first step's missing dampening (SGD)",
              "rules/Sgd.java",
              "first ? 1f : (float) (1.0 - dampening)",
              "(float) (1.0 - dampening)"),
          new Fault(
              "one lane fewer (reduction)",
              "internal/Reduction.java",
              "start += PlanSpec.LANES",
              "start += PlanSpec.LANES - 1"),
          new Fault(
              "sums in order instead of by halving (reduction)",
              "internal/Reduction.java",
              "sums[at + i] += sums[at + i + half];",
              "sums[at + i] += sums[at + left - 1 - i];"),
          new Fault(
              "products rounded to float before they are added (reduction)",
              "internal/Reduction.java",
              "lanes[l] += (double) a[start + l] * b[start + l]",
              "lanes[l] += a[start + l] * b[start + l]"),
          new Fault(
              "ties away from even (bf16)",
              "internal/Formats.java",
              "bits + 0x7FFF + ((bits >>> 16) & 1)",
              "bits + 0x8000"),
          new Fault(
              "ties away from even (f16)",
              "internal/Formats.java",
              "dropped == half && (code & 1) != 0",
              "dropped == half"),
          new Fault(
              "the low half of a random word (bf16, stochastic)",
              "internal/Formats.java",
              "? word >>> 16 : 0",
              "? word & 0xFFFF : 0"),
          new Fault(
              "nearest where stochastic is asked for",
              "internal/JavaTile.java",
              "rounding == Rounding.STOCHASTIC",
              "rounding == Rounding.NEAREST"),
          new Fault(
              "random words of the element's neighbour",
              "internal/JavaTile.java",
              "words[skip + i]",
              "words[i]"),
          new Fault(
              "one purpose for two random streams",
              "internal/JavaTile.java",
              "ROUND_STATE + k",
              "ROUND_STATE"),
          new Fault(
              "a tail of one element left out",
              "internal/JavaTile.java",
              "tensor.rule.update(coefficients, n, p, g, state);",
              "tensor.rule.update(coefficients, Math.max(n - 1, n / 8 * 8), p, g, state);"),
          new Fault(
              "no clipping by value",
              "internal/JavaTile.java",
              "g[i] = clamp(g[i], limit)",
              "g[i] = g[i] + 0f * limit"),
          new Fault(
              "clipping before unscaling",
              "internal/JavaTile.java",
              "float limit = tensor.clipValue;",
              "float limit = tensor.clipValue / unscale;"),
          new Fault(
              "a mask's bits from the other end",
              "internal/JavaTile.java",
              "(element % 8) & 1",
              "(7 - element % 8) & 1"),
          new Fault(
              "states under a mask set to 0 for frozen and frozen for 0",
              "internal/JavaTile.java",
              "maskedStates() == MaskedStates.ZERO",
              "maskedStates() != MaskedStates.ZERO"),
          new Fault(
              "gradients under a mask that count in the norm",
              "internal/JavaTile.java",
              """
      if (hides(tensor)) {
        applyMask(tensor.mask, at, n, g);
      }
      // 0 * x""",
              """
      // 0 * x"""),
          new Fault(
              "an average that never rests",
              "internal/JavaTile.java",
              "if (tensor.averageDue[k]) {",
              "if (tensor.averages[k] != null) {"),
          new Fault(
              "nine rounds of ten (Philox)", "internal/Philox.java", "round < 10", "round < 9"));

  @TempDir Path folder;

  @Test
  void theSuiteSeesSeededFaults() throws Exception {
    assumeTrue(Machine.hostBackends().size() > 1, "there is nothing to compare java with");
    boolean all = "all".equals(System.getProperty("fettle.faults"));
    if (all) {
      assertEquals(FaultRun.MISSED, run("without a fault", System.getProperty("java.class.path")));
    }
    int seeded = 0;
    List<String> missed = new ArrayList<>();
    for (int i = 0; i < FAULTS.size(); i += all ? 1 : STRIDE) {
      Fault fault = FAULTS.get(i);
      Path classes = Files.createDirectory(folder.resolve("fault-" + i));
      compile(fault, classes);
      seeded++;
      String path = classes + File.pathSeparator + System.getProperty("java.class.path");
      int status = run(fault.what(), path);
      if (status != FaultRun.CAUGHT) {
        missed.add(fault.what() + " (status " + status + ")");
      }
    }
    Machine.say(
        "seeded faults",
        seeded + " of " + FAULTS.size() + " seeded, " + (seeded - missed.size()) + " caught");
    assertTrue(missed.isEmpty(), () -> "not caught: " + missed);
  }

  private static void compile(Fault fault, Path classes) throws IOException {
    String source = Files.readString(SOURCES.resolve(fault.file()));
    int at = source.indexOf(fault.right());
    assertTrue(at >= 0, () -> fault.file() + " does not hold " + fault.right());
    Path changed = classes.resolve(Path.of(fault.file()).getFileName());
    Files.writeString(
        changed,
        source.substring(0, at) + fault.wrong() + source.substring(at + fault.right().length()));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      boolean compiled =
          compiler
              .getTask(
                  messages,
                  files,
                  null,
                  List.of(
                      "-proc:none",
                      "-nowarn",
                      "-cp",
                      System.getProperty("java.class.path"),
                      "-d",
                      classes.toString()),
                  null,
                  files.getJavaFileObjects(changed))
              .call();
      assertTrue(compiled, () -> fault.what() + ":\n" + messages);
    }
  }

  private int run(String what, String classPath) throws Exception {
    Path output = folder.resolve("output.txt");
    Process process =
        new ProcessBuilder(FaultRun.command(classPath, ARRAYS))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    assertTrue(process.waitFor(15, TimeUnit.MINUTES), () -> what + ": the JVM does not end");
    String text = Files.readString(output);
    int status = process.exitValue();
    assertTrue(status == FaultRun.CAUGHT || status == FaultRun.MISSED, () -> what + ":\n" + text);
    System.out.println("####   " + what + ": " + text.lines().reduce("", (a, b) -> b));
    return status;
  }
}
