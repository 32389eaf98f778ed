package org.fettle.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fettle.Hyper;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The comparison can fail, and the command says what is wrong. */
class ReplayTest {
  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return Replay.run(new PrintWriter(out), new PrintWriter(err), args);
  }

  private String lastLine() {
    List<String> lines = out.toString().lines().toList();
    return lines.get(lines.size() - 1);
  }

  private static List<Path> files() {
    return GoldenFiles.all();
  }

  /** Whatever element of whatever array is expected a little differently, it is found. */
  @ParameterizedTest
  @MethodSource("files")
  void aChangedExpectationFails(Path file) throws IOException {
    GoldenCase golden = GoldenCase.read(file);
    for (String name : golden.outputs()) {
      if (name.equals("int8")) {
        continue; // not there yet, so it fails anyway
      }
      Values expected = golden.array(name);
      double largest = largest(expected.doubles());
      // Methods of class T start every step from the row before, so only the last row is an
      // expectation alone.
      boolean restarts =
          Limits.classOf(golden.method()).equals("T") && expected.isStepped(golden.steps());
      int first = restarts ? expected.length() / golden.steps() * (golden.steps() - 1) : 0;
      for (int i = first; i < expected.length(); i += Math.max(1, expected.length() / 3)) {
        double[] values = expected.doubles();
        Limits.Limit limit = Limits.of(golden, expected);
        // Twice the limit: what is computed may be off by nearly the limit in the same direction.
        double change = limit.relative() == 0 ? 1e-3 * largest : 2.1 * limit.relative() * largest;
        values[i] = Double.isFinite(values[i]) ? values[i] + Math.max(change, 1e-30) : 0;
        if (expected.isInteger()) {
          values[i] = expected.get(i) + 1;
          if (values[i] == expected.get(i)) {
            continue; // words of 64 bits, which a double does not tell apart
          }
        }
        Values changed = new Values(name, expected.dtype(), shape(expected), values);
        Replays.Result result = Replays.replay(GoldenFiles.with(fresh(file), changed), "java");
        assertFalse(result.passed(), name + " " + i);
        String wrong =
            result.comparisons().stream()
                .filter(comparison -> comparison.toString().startsWith(name + ": "))
                .findFirst()
                .orElseThrow()
                .toString();
        assertTrue(
            wrong.contains("index " + expected.place(i) + ",") || wrong.contains(expected.place(i)),
            wrong);
      }
    }
  }

  /** Hyper notes what was read: every replay needs its own. */
  private static GoldenCase fresh(Path file) throws IOException {
    return GoldenCase.read(file);
  }

  private static double largest(double[] values) {
    return Arrays.stream(values).filter(Double::isFinite).map(Math::abs).max().orElse(0);
  }

  private static List<Long> shape(Values values) {
    return Arrays.stream(values.shape()).boxed().toList();
  }

  @ParameterizedTest
  @EnumSource(VariantAdam.Variant.class)
  void wrongVariantsOfAdamFail(VariantAdam.Variant variant) {
    boolean passed = true;
    for (String name : List.of("adamw-01", "adamw-02")) {
      GoldenCase golden = GoldenFiles.read("optimizers/" + name);
      Outputs outputs = new Outputs();
      try (Workbench bench = new Workbench("java")) {
        RuleReplay.replay(golden, VariantAdam.of(golden.hyper(), variant), bench, outputs);
      }
      passed &= GoldenFiles.compare(golden, outputs).stream().allMatch(Comparison::passed);
    }
    assertEquals(variant == VariantAdam.Variant.RIGHT, passed);
  }

  @Test
  void nanInfinityAndZeroAreMatchedExactly() {
    double nan = Double.NaN;
    double infinity = Double.POSITIVE_INFINITY;
    assertTrue(matches(new double[] {nan, infinity, 1}, nan, infinity, 1));
    assertFalse(matches(new double[] {nan, infinity, 1}, 0, infinity, 1));
    assertFalse(matches(new double[] {nan, infinity, 1}, nan, -infinity, 1));
    assertFalse(matches(new double[] {nan, infinity, 1}, nan, 3e38, 1));
    assertFalse(matches(new double[] {0.5, infinity, 1}, nan, infinity, 1));
    assertFalse(matches(new double[] {0.5, 1, 1}, 0.5, infinity, 1));
    assertTrue(matches(new double[] {0, 0, 0}, -0.0, 0, 0));
    assertFalse(matches(new double[] {0, 0, 0}, 1e-45, 0, 0));
    assertFalse(matches(new double[] {0, 0, 0}, 0, 0));
    // The largest finite element sets the limit for all: 2e-6 of 100.
    assertTrue(matches(new double[] {100, infinity, 0}, 100, infinity, 1.9e-4));
    assertFalse(matches(new double[] {100, infinity, 0}, 100, infinity, 2.1e-4));
  }

  private static boolean matches(double[] expected, double... ours) {
    GoldenCase golden =
        new GoldenFiles.Builder("adam", 0).output("m", List.of(3L), expected).build();
    Outputs outputs = new Outputs();
    outputs.add("m", ours);
    return GoldenFiles.compare(golden, outputs).get(0).passed();
  }

  @Test
  void theDisplacementIsComparedToo() {
    GoldenFiles.Builder builder =
        new GoldenFiles.Builder("lamb", 2)
            .input("param0", List.of(1L), 1)
            .output("param", List.of(2L, 1L), 1.001, 1.002);
    Outputs outputs = new Outputs();
    // Within 5e-6 of the value, yet more than 2e-6 of the start and 1e-5 of 0.002 off.
    outputs.add("param", 1.001, 1.002 + 2.1e-6);
    assertFalse(GoldenFiles.compare(builder.build(), outputs).get(0).passed());
    outputs = new Outputs();
    outputs.add("param", 1.001, 1.002 + 1.9e-6);
    assertTrue(GoldenFiles.compare(builder.build(), outputs).get(0).passed());
  }

  @Test
  void nearTiesMayBeOneApart() {
    GoldenCase golden =
        new GoldenFiles.Builder("adam-8bit", 0).output("c1", List.of(3L), 7, 8, 9).build();
    Outputs outputs = new Outputs();
    outputs.add("c1", 7, 9, 1000);
    outputs.leaveOut("c1", 2);
    assertFalse(GoldenFiles.compare(golden, outputs).get(0).passed());
    outputs.nearTie("c1", 1);
    assertTrue(GoldenFiles.compare(golden, outputs).get(0).passed());
  }

  @Test
  void anArrayThatARuleDoesNotKeepMustBeZero() {
    GoldenFiles.Builder builder =
        new GoldenFiles.Builder("sgd", 1)
            .input("param0", List.of(2L), 1, 2)
            .input("grad", List.of(1L, 2L), 0, 0)
            .output("param", List.of(1L, 2L), 1, 2)
            .output("momentum", List.of(1L, 2L), 0, 0);
    assertTrue(Replays.replay(builder.build(), "java").passed());
    builder.output("momentum", List.of(1L, 2L), 0, 1e-9);
    Replays.Result result = Replays.replay(builder.build(), "java");
    assertTrue(
        result.comparisons().toString().contains("momentum: the rule keeps none"),
        result.comparisons().toString());
  }

  @Test
  void unknownMethodsOptionsAndInputsSaySo() {
    assertEquals(
        "unknown method warp",
        Replays.replay(new GoldenFiles.Builder("warp", 0).build(), "java").failure());
    GoldenCase golden = GoldenFiles.read("optimizers/sgd-01");
    GoldenCase option =
        new GoldenCase(
            golden.file(),
            "sgd",
            new Hyper(Map.of("lr", 0.1, "warp", 9)),
            golden.steps(),
            golden.inputs(),
            golden.outputs(),
            Map.of(),
            golden.arrays());
    assertEquals("method sgd has no option [warp]", Replays.replay(option, "java").failure());
    GoldenCase input =
        new GoldenFiles.Builder("sgd", 1)
            .input("param0", List.of(1L), 1)
            .input("grad", List.of(1L, 1L), 0)
            .input("warp", List.of(1L), 9)
            .build();
    assertTrue(
        Replays.replay(input, "java").failure().startsWith("inputs [warp]: the rule has no"));
  }

  @Test
  void theCommandCountsAndExits() throws IOException {
    Path good = GoldenFiles.resource("golden/optimizers");
    for (String backend : GoldenFiles.backends()) {
      String[] choice =
          backend.startsWith("cpu-")
              ? new String[] {"--isa", backend.substring(4)}
              : new String[] {"--backend", backend};
      assertEquals(0, run(choice[0], choice[1], good.toString()), out.toString());
      long count = GoldenFiles.all().stream().filter(file -> file.startsWith(good)).count();
      assertEquals(count + " passed, 0 failed", lastLine());
      assertTrue(out.toString().contains("backend " + backend), out.toString());
    }
    Path bad = Files.copy(good.resolve("sgd-01.safetensors"), folder.resolve("a.safetensors"));
    Files.write(bad, Arrays.copyOf(Files.readAllBytes(bad), 3000));
    Files.copy(good.resolve("sgd-01.safetensors"), folder.resolve("b.safetensors"));
    Files.writeString(folder.resolve("c.txt"), "no vector");
    assertEquals(1, run(folder.toString()));
    assertEquals("1 passed, 1 failed", lastLine());
    assertTrue(out.toString().contains("FAIL " + bad), out.toString());
    assertEquals(1, run(Files.createDirectory(folder.resolve("empty")).toString()));
    assertEquals("0 passed, 0 failed", lastLine());
  }

  @Test
  void failuresAreShownWithTheirPlace() throws IOException {
    Path file =
        Files.copy(
            GoldenFiles.resource("golden/optimizers/sgd-01.safetensors"),
            folder.resolve("a.safetensors"));
    byte[] bytes = Files.readAllBytes(file);
    // The last number of the file, one of a step's results: its sign.
    bytes[bytes.length - 1] ^= (byte) 0x80;
    Files.write(file, bytes);
    assertEquals(1, run("-v", file.toString()));
    assertTrue(
        out.toString()
            .matches(
                "(?s).*wrong: param: step 8, index \\[7, 100\\], expected .*, ours .*, error .*,"
                    + " limit .*"),
        out.toString());
    assertTrue(out.toString().contains("  momentum: all zero"), out.toString());
  }

  @Test
  void wrongCallsExitWithTwo() {
    assertEquals(2, run());
    assertEquals(2, run("--backend", "abacus", "."));
    assertTrue(err.toString().contains("backend abacus: expected java, cpu"), err.toString());
    assertEquals(2, run("--isa", "v9", "."));
    assertEquals(2, run("--backend", "java", "--isa", "v3", "."));
    assertEquals(2, run(folder.resolve("nowhere").toString()));
    assertTrue(err.toString().contains("nowhere: no such file or folder"), err.toString());
    assertEquals("", out.toString());
    assertEquals(0, run("--help"));
    assertTrue(out.toString().startsWith("Usage: fettle replay"), out.toString());
  }
}
