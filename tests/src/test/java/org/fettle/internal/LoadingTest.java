package org.fettle.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fettle.Doctor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;

/**
 * How the CPU library is found, and what is said where it is not: every case in a JVM of its own.
 */
class LoadingTest {
  private static final String CLASS_PATH = System.getProperty("java.class.path");
  private static final String LIBRARY = "libjnifettle.so";

  @TempDir Path folder;

  @Test
  void isLoadedAndSaysFromWhere() throws Exception {
    assertLoaded(LIBRARY, doctor(CLASS_PATH));
  }

  @Test
  void isNotLoadedWhenSwitchedOff() throws Exception {
    assertSays("switched off by -Dfettle.native=off", doctor(CLASS_PATH, "-Dfettle.native=off"));
  }

  @Test
  void anExplicitPathIsUsed() throws Exception {
    Path copy = folder.resolve("copy.so");
    Files.copy(Path.of(NativeLibrary.origin()), copy);
    assertLoaded(copy.toString(), doctor(CLASS_PATH, "-Dfettle.library.path=" + copy));
  }

  @Test
  void anExplicitPathHasNoFallback() throws Exception {
    Path missing = folder.resolve("missing.so");
    String said = doctor(CLASS_PATH, "-Dfettle.library.path=" + missing);
    assertSays("there is no file " + missing, said);
    assertSays("not loaded", said);

    Path text = Files.writeString(folder.resolve("text.so"), "not a library");
    said = doctor(CLASS_PATH, "-Dfettle.library.path=" + text);
    assertSays("UnsatisfiedLinkError: " + text, said);
    assertSays("not loaded", said);
  }

  @Test
  void aMissingJarIsNamed() throws Exception {
    assertSays(
        "the jar fettle:linux-x86_64 is not on the class path",
        doctor(classPathWithout("linux-x86_64")));
  }

  @Test
  void aBuildWithoutNativeLibrarySaysSo() throws Exception {
    assertSays("made without a native library", doctor(classPathWithout("native.properties")));
  }

  @Test
  void aLibraryOfAnotherBuildIsRefused() throws Exception {
    Path other = folder.resolve("other");
    Files.createDirectories(other.resolve("org/fettle/internal"));
    Files.writeString(
        other.resolve("org/fettle/internal/native.properties"), "build.id=0123456789abcdef\n");
    String said = doctor(other + File.pathSeparator + CLASS_PATH);
    assertSays("is build " + BuildInfo.nativeBuildId(), said);
    assertSays("these classes belong to build 0123456789abcdef", said);
  }

  @Test
  @EnabledForJreRange(min = JRE.JAVA_24)
  void deniedNativeAccessIsExplained() throws Exception {
    assertSays(
        "start Java with --enable-native-access=ALL-UNNAMED",
        doctor(CLASS_PATH, "--illegal-native-access=deny"));
  }

  @Test
  void isLoadedFromTheModulePath() throws Exception {
    List<String> modules = new ArrayList<>();
    for (String element : CLASS_PATH.split(File.pathSeparator)) {
      if (element.contains("javacpp")
          || element.contains("gson")
          || element.contains("ojalgo")
          || holdsFettle(element)) {
        modules.add(element);
      }
    }
    List<String> options =
        List.of(
            "--module-path",
            String.join(File.pathSeparator, modules),
            "--add-modules",
            "ALL-MODULE-PATH",
            "--enable-native-access=org.fettle,org.bytedeco.javacpp",
            "--module",
            "org.fettle/org.fettle.Doctor");
    assertLoaded(LIBRARY, output(start(options)));
  }

  @Test
  void severalProcessesMayUnpackItAtOnce() throws Exception {
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      processes.add(start(List.of("-cp", CLASS_PATH, Doctor.class.getName())));
    }
    for (Process process : processes) {
      assertLoaded(LIBRARY, output(process));
    }
  }

  private static void assertLoaded(String from, String said) {
    assertSays(from, said);
    assertFalse(said.contains("not loaded"), said);
  }

  private static void assertSays(String expected, String said) {
    assertTrue(said.contains(expected), () -> "expected: " + expected + "\nsaid: " + said);
  }

  private String doctor(String classPath, String... options) throws Exception {
    List<String> command = new ArrayList<>(List.of(options));
    command.addAll(List.of("-cp", classPath, Doctor.class.getName()));
    return output(start(command));
  }

  private Process start(List<String> options) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("cache"));
    command.addAll(options);
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static String output(Process process) throws Exception {
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), text);
    return text;
  }

  /** The class path with Fettle's own elements replaced by copies that lack everything so named. */
  private String classPathWithout(String name) throws Exception {
    List<String> elements = new ArrayList<>();
    for (String element : CLASS_PATH.split(File.pathSeparator)) {
      if (!holdsFettle(element)) {
        elements.add(element);
      } else if (Files.isDirectory(Path.of(element))) {
        elements.add(copyWithout(Path.of(element), name));
      } else {
        Path unpacked = Files.createTempDirectory(folder, "jar");
        Process jar =
            new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin", "jar").toString(),
                    "xf",
                    element)
                .directory(unpacked.toFile())
                .start();
        output(jar);
        elements.add(copyWithout(unpacked, name));
      }
    }
    return String.join(File.pathSeparator, elements);
  }

  private static boolean holdsFettle(String element) {
    Path path = Path.of(element).toAbsolutePath();
    Path module = Path.of("").toAbsolutePath().resolveSibling("java");
    return path.startsWith(module);
  }

  private String copyWithout(Path from, String name) throws IOException {
    Path to = Files.createTempDirectory(folder, "copy");
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Path relative = from.relativize(file);
        if (Files.isRegularFile(file) && !relative.toString().contains(name)) {
          Files.createDirectories(to.resolve(relative).getParent());
          Files.copy(file, to.resolve(relative));
        }
      }
    }
    return to.toString();
  }
}
