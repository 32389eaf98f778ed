package org.fettle.modulepath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.fettle.internal.NativeLibrary;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;

/**
 * The same steps on class path and module path, with native access given and denied, each in a JVM
 * of its own: the same bits, natively where access was given and in Java where it was not.
 */
class ModulePathTest {
  private static final Pattern SAID =
      Pattern.compile("module (\\S+) backend (\\S+) sum (\\w{8})", Pattern.MULTILINE);
  private static final String GIVEN = "--enable-native-access=";
  private static final String DENIED = "--illegal-native-access=deny";
  private static final List<String> CLASS_PATH =
      List.of(System.getProperty("java.class.path").split(File.pathSeparator));

  @TempDir Path folder;

  private record Outcome(String module, String backend, String sum) {}

  @Test
  void classPathAndModulePathGiveTheSameBits() throws Exception {
    Outcome ordinary = run(onClassPath(GIVEN + "ALL-UNNAMED"));
    Outcome modules = run(onModulePath(GIVEN + "org.fettle,org.bytedeco.javacpp"));
    Outcome java = run(onModulePath("-Dfettle.native=off"));
    assertEquals("null", ordinary.module());
    assertEquals("org.fettle", modules.module());
    assertEquals(ordinary.sum(), modules.sum());
    assertEquals(ordinary.sum(), java.sum());
    assertEquals("java", java.backend());
    assumeTrue(NativeLibrary.isLoaded(), "NOT RUN: no native library");
    assertTrue(modules.backend().startsWith("cpu"), modules.backend());
  }

  @Test
  @EnabledForJreRange(min = JRE.JAVA_24)
  void deniedNativeAccessLeavesTheJavaBackendOnDirectBuffers() throws Exception {
    Outcome ordinary = run(onClassPath(GIVEN + "ALL-UNNAMED"));
    for (Outcome denied : List.of(run(onClassPath(DENIED)), run(onModulePath(DENIED)))) {
      assertEquals("java", denied.backend());
      assertEquals(ordinary.sum(), denied.sum());
    }
    Outcome given = run(onModulePath(DENIED, GIVEN + "org.fettle,org.bytedeco.javacpp"));
    assertEquals(ordinary.backend(), given.backend());
    assertEquals(ordinary.sum(), given.sum());
  }

  private static List<String> onClassPath(String... options) {
    List<String> command = new ArrayList<>(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    return command;
  }

  /** Fettle and what it needs as modules; the program itself stays on the class path. */
  private static List<String> onModulePath(String... options) {
    List<String> modules = new ArrayList<>();
    List<String> others = new ArrayList<>();
    Path library = Path.of("").toAbsolutePath().resolveSibling("java");
    for (String element : CLASS_PATH) {
      boolean module =
          element.contains("javacpp")
              || element.contains("gson")
              || element.contains("ojalgo")
              || Path.of(element).toAbsolutePath().startsWith(library);
      (module ? modules : others).add(element);
    }
    List<String> command = new ArrayList<>(List.of(options));
    command.addAll(List.of("--module-path", String.join(":", modules)));
    command.addAll(List.of("--add-modules", "ALL-MODULE-PATH"));
    command.addAll(List.of("-cp", String.join(":", others)));
    return command;
  }

  private Outcome run(List<String> options) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("cache"));
    command.addAll(options);
    command.add("org.fettle.modulepath.ModulePathStep");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    Matcher line = SAID.matcher(said);
    assertTrue(line.find(), said);
    return new Outcome(line.group(1), line.group(2), line.group(3));
  }
}
