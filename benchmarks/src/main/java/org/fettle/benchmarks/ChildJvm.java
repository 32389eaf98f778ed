package org.fettle.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** A JVM of its own for a measurement, which answers with a file. */
final class ChildJvm {
  private ChildJvm() {}

  /**
   * Runs a main class with this JVM's options and class path.
   *
   * @param what a message calls it
   * @param options more options of the JVM
   * @param request what the class is asked, from the file that it answers with
   * @return what the child wrote
   */
  static String ask(
      String what, Class<?> mainClass, List<String> options, Function<Path, String> request)
      throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("fettle-bench");
    Path answer = folder.resolve("answer.json");
    // libtorch must not find a second one of a distribution.
    Path nothing = Files.createDirectory(folder.resolve("nothing"));
    try {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
      command.addAll(options);
      command.add("-Djava.library.path=" + nothing);
      // JavaCPP would count the arrays against the Java heap.
      command.add("-Dorg.bytedeco.javacpp.maxPhysicalBytes=0");
      command.addAll(
          List.of(
              "-cp",
              System.getProperty("java.class.path"),
              mainClass.getName(),
              request.apply(answer)));
      ProcessBuilder child =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.INHERIT)
              .redirectError(ProcessBuilder.Redirect.INHERIT);
      // So that a peer's OpenBLAS picks its kernels for this CPU.
      child.environment().keySet().removeAll(List.of("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"));
      child.environment().put("OPENBLAS_NUM_THREADS", "1");
      int status = child.start().waitFor();
      if (status != 0) {
        throw new IllegalStateException(what + ": the child ended with status " + status);
      }
      return Files.readString(answer);
    } finally {
      Files.deleteIfExists(answer);
      Files.delete(nothing);
      Files.delete(folder);
    }
  }
}
