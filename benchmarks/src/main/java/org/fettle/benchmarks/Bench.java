package org.fettle.benchmarks;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command {@code ./fettle bench}. */
@Command(
    name = "fettle bench",
    mixinStandardHelpOptions = true,
    description =
        "Measures Fettle's steps against the memory ceiling and other libraries, interleaved.")
public final class Bench implements Callable<Integer> {
  private static final Gson GSON =
      new GsonBuilder().serializeSpecialFloatingPointValues().setPrettyPrinting().create();

  @Option(
      names = "--ratios",
      description = "The short form: prints one line 'name ratio' per goal.")
  private boolean ratios;

  @Option(
      names = "--kernels",
      description =
          "The kernels besides steps: formats, masks, selection, averages, products; one thread.")
  private boolean kernels;

  @Option(
      names = "--rules",
      description =
          "Every rule at 1e7 elements and AdamW with states of few bits: bytes, passes, ratio.")
  private boolean rules;

  @Option(names = "--quick", description = "One short fork of everything: to see that it works.")
  private boolean quick;

  @Option(
      names = "--only",
      paramLabel = "PATTERN",
      description = "Only cases whose name contains this regular expression.")
  private Pattern only;

  @Option(
      names = "--threads",
      paramLabel = "N",
      split = ",",
      description = "Only cases with so many threads, such as 1 or 1,2.")
  private List<Integer> threads;

  @Option(
      names = "--forks",
      paramLabel = "N",
      description =
          "JVMs per case (default: 3; --ratios takes 1 for rules other than AdamW, --rules takes 1).")
  private int forks = 3;

  @Option(names = "--without-peers", description = "Leaves other libraries out.")
  private boolean withoutPeers;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description =
          "Where the JSON goes (default: target/bench/table.json, ratios.json or rules.json).")
  private Path json;

  @Option(
      names = "--markdown",
      paramLabel = "FILE",
      description = "Puts the tables between the marks of this file, such as docs/performance.md.")
  private Path markdown;

  @Option(
      names = "--from",
      paramLabel = "FILE",
      description = "Measures nothing; shows an earlier run's JSON.")
  private Path from;

  @Option(names = "--list", description = "Lists the cases.")
  private boolean list;

  private Bench() {}

  /** Runs the command. */
  public static void main(String[] args) {
    System.exit(
        new CommandLine(new Bench())
            .setExecutionExceptionHandler(
                (e, commandLine, parsed) -> {
                  e.printStackTrace();
                  return 1;
                })
            .execute(args));
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (kernels) {
      return measureKernels();
    }
    if (list) {
      cases().forEach(one -> System.out.println(one.name()));
      return 0;
    }
    Report report = from == null ? measure() : GSON.fromJson(Files.readString(from), Report.class);
    if (ratios) {
      report.ratioLines().forEach(System.out::println);
    } else if (rules) {
      System.out.print(report.rules());
    } else {
      System.out.println(report.machine());
      System.out.print(report.table());
    }
    if (from == null) {
      write(report);
    }
    if (markdown != null) {
      put(markdown, rules ? "rules" : "measured", rules ? report.rules() : report.markdown());
    }
    return 0;
  }

  private int measureKernels() throws IOException, InterruptedException {
    if (list) {
      KernelCases.all().forEach(one -> System.out.println(one.name() + " " + one.size()));
      return 0;
    }
    List<KernelResult> results =
        from == null
            ? KernelBench.run(only, settings(), !withoutPeers)
            : List.of(GSON.fromJson(Files.readString(from), KernelResult[].class));
    System.out.println(Machine.here());
    KernelResult.table(results).forEach(System.out::println);
    Path folder = Path.of(System.getProperty("fettle.root", "."), "target", "bench");
    Files.createDirectories(folder);
    if (from == null) {
      Files.writeString(json == null ? folder.resolve("kernels.json") : json, GSON.toJson(results));
    }
    if (markdown != null) {
      String command = "./fettle bench --kernels" + (quick ? " --quick" : "");
      String text = "Measured by `" + command + "` on " + Machine.here() + ".\n\n";
      put(markdown, "kernels", text + KernelResult.markdown(results));
    }
    return 0;
  }

  private Rounds.Settings settings() {
    return quick
        ? new Rounds.Settings(0.1, 0.3, 0.003, 3, 31)
        : new Rounds.Settings(0.3, ratios || kernels || rules ? 2 : 3, 0.004, 7, 301);
  }

  /** Puts a text between two marks of a page. */
  private static void put(Path page, String mark, String text) throws IOException {
    Pattern marks =
        Pattern.compile(
            "(<!-- " + mark + ": begin -->\n).*?(<!-- " + mark + ": end -->)", Pattern.DOTALL);
    String measured = java.util.regex.Matcher.quoteReplacement(text);
    String before = Files.readString(page);
    Files.writeString(page, marks.matcher(before).replaceFirst("$1" + measured + "$2"));
  }

  private Cases.Selection selection() {
    if (ratios && rules) {
      throw new IllegalArgumentException("--ratios and --rules: expected one of them");
    }
    return rules ? Cases.Selection.RULES : ratios ? Cases.Selection.RATIOS : Cases.Selection.TABLE;
  }

  private List<Case> cases() {
    return selection().cases().stream()
        .filter(one -> only == null || only.matcher(one.name()).find())
        .filter(one -> threads == null || threads.contains(one.threads()))
        .filter(one -> one.threads() <= Runtime.getRuntime().availableProcessors())
        .toList();
  }

  private Report measure() throws IOException, InterruptedException {
    List<Case> cases = cases();
    if (cases.isEmpty()) {
      throw new IllegalArgumentException("no case of that name; --list shows them");
    }
    Rounds.Settings settings = settings();
    int most = quick || rules ? 1 : forks;
    Map<Case, List<Result.Fork>> measured = new LinkedHashMap<>();
    cases.forEach(one -> measured.put(one, new ArrayList<>()));
    // Forks outside, cases inside: what changes slowly on the machine meets every case alike.
    for (int fork = 0; fork < most; fork++) {
      int number = 0;
      for (Case one : cases) {
        number++;
        if (fork > 0 && ratios && !one.isAboutAdamW()) {
          continue;
        }
        System.err.printf(
            "fork %d of %d, case %d of %d: %s%n", fork + 1, most, number, cases.size(), one.name());
        measured.get(one).add(Fork.run(selection(), one, settings, !withoutPeers));
      }
    }
    List<Result> results = new ArrayList<>();
    measured.forEach((one, forked) -> results.add(result(one, forked)));
    return new Report(Machine.here(), command(), results);
  }

  private static Result result(Case one, List<Result.Fork> forked) {
    Workload workload = one.workload();
    return new Result(
        one.name(),
        workload.rule().id(),
        Shape.of(workload).passes().size(),
        workload.total(),
        workload.tensors(),
        one.threads(),
        Shape.of(workload).bytesPerElement(),
        forked);
  }

  private String command() {
    return "./fettle bench"
        + (ratios ? " --ratios" : "")
        + (rules ? " --rules" : "")
        + (quick ? " --quick" : "");
  }

  private void write(Report report) throws IOException {
    Path file = json;
    if (file == null) {
      Path folder = Path.of(System.getProperty("fettle.root", "."), "target", "bench");
      Files.createDirectories(folder);
      file = folder.resolve(selection().name().toLowerCase(java.util.Locale.ROOT) + ".json");
    }
    Files.writeString(file, GSON.toJson(report));
    System.err.println("written: " + file);
  }
}
