package org.fettle.replay;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.replay.Replays.Result;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The command {@code fettle replay}. */
@Command(
    name = "fettle replay",
    description = "Replays golden vectors and compares what comes out.",
    sortOptions = false)
public final class Replay implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--backend",
      paramLabel = "java|cpu|cuda",
      description = "what computes; the best one by default")
  private String backend;

  @Option(
      names = "--isa",
      paramLabel = "v3|v4",
      description = "the tier of the cpu backend; the best one by default")
  private String isa;

  @Option(names = "-v", description = "print the cases that pass too")
  private boolean verbose;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this")
  @SuppressWarnings("UnusedVariable") // picocli looks at it
  private boolean help;

  @Parameters(
      arity = "1..*",
      paramLabel = "PATH",
      description = "a .safetensors file, or a folder with such files")
  private List<Path> paths;

  private Replay() {}

  /** Runs the command and exits: 0 if every case passed, 1 if not, 2 for a wrong call. */
  public static void main(String[] args) {
    System.exit(
        run(
            new PrintWriter(System.out, true, Charset.defaultCharset()),
            new PrintWriter(System.err, true, Charset.defaultCharset()),
            args));
  }

  /** Runs the command. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    return new CommandLine(new Replay())
        .setOut(out)
        .setErr(err)
        .setParameterExceptionHandler(Replay::explain)
        .execute(args);
  }

  private static int explain(ParameterException e, String... args) {
    e.getCommandLine().getErr().println("fettle replay: " + e.getMessage() + " (try: --help)");
    return ExitCode.USAGE;
  }

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    NavigableSet<Path> files = files();
    String name = backendName();
    out.println("backend " + name);
    int passed = 0;
    for (Path file : files) {
      Result result = Replays.replay(file, name);
      if (result.passed()) {
        passed++;
      }
      print(out, file, result);
    }
    if (files.isEmpty()) {
      out.println("no .safetensors file under " + paths);
    }
    out.println(passed + " passed, " + (files.size() - passed) + " failed");
    out.flush();
    return passed == files.size() && passed > 0 ? 0 : 1;
  }

  private void print(PrintWriter out, Path file, Result result) {
    if (result.passed() && !verbose) {
      return;
    }
    out.println((result.passed() ? "pass " : "FAIL ") + file);
    if (result.failure() != null) {
      out.println("  " + result.failure());
    }
    for (Comparison comparison : result.comparisons()) {
      if (verbose || !comparison.passed()) {
        out.println("  " + (comparison.passed() ? "" : "wrong: ") + comparison);
      }
    }
  }

  private String backendName() {
    if (isa != null && !isa.equals("v3") && !isa.equals("v4")) {
      throw wrong("--isa " + isa + ": expected v3 or v4");
    }
    if (isa != null && backend != null && !backend.equals("cpu")) {
      throw wrong("--isa " + isa + " with --backend " + backend + ": expected --backend cpu");
    }
    try {
      if (isa != null) {
        return Backend.named("cpu-" + isa).name();
      }
      return backend == null ? Backend.best().name() : Backend.named(backend).name();
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private NavigableSet<Path> files() throws IOException {
    NavigableSet<Path> files = new TreeSet<>();
    for (Path path : paths) {
      if (!Files.exists(path)) {
        throw wrong(path + ": no such file or folder");
      }
      try (Stream<Path> walk = Files.walk(path, FileVisitOption.FOLLOW_LINKS)) {
        walk.filter(Files::isRegularFile)
            .filter(file -> file.equals(path) || file.toString().endsWith(".safetensors"))
            .forEach(files::add);
      }
    }
    return files;
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
