package org.fettle.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.fettle.page.Template;
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
      names = "--sparse",
      description = "Sparse products against the dense one, by share of zeros; one thread.")
  private boolean sparse;

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
          "Where the JSON goes (default: target/bench/FORM.json: table, ratios, rules, kernels, sparse).")
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

  @Option(
      names = "--page",
      paramLabel = "FILE",
      description =
          "Where the page goes that shows this run, and earlier ones of this machine's other forms"
              + " (default: target/bench/bench.html).")
  private Path page;

  @Option(
      names = "--svg",
      paramLabel = "FILE",
      description = "With --sparse: puts the chart of zeros into a file of its own.")
  private Path svg;

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
    if (java.util.stream.Stream.of(ratios, rules, kernels, sparse).filter(on -> on).count() > 1) {
      throw new IllegalArgumentException(
          "--ratios, --rules, --kernels and --sparse: expected at most one of them");
    }
    if (svg != null && !sparse) {
      throw new IllegalArgumentException("--svg: expected with --sparse");
    }
    if (kernels || sparse) {
      return measureKernels();
    }
    if (list) {
      cases().forEach(one -> System.out.println(one.name()));
      return 0;
    }
    Report report = from == null ? measure() : Store.read(from, Report.class);
    if (ratios) {
      report.ratioLines().forEach(System.out::println);
    } else if (rules) {
      System.out.print(report.rules());
    } else {
      System.out.println(report.machine());
      System.out.print(report.table());
    }
    if (from == null) {
      Store.write(json == null ? Store.usual().file(form()) : json, report);
    }
    if (markdown != null) {
      put(markdown, rules ? "rules" : "measured", rules ? report.rules() : report.markdown());
    }
    show(List.of(report), List.of());
    return 0;
  }

  private int measureKernels() throws IOException, InterruptedException {
    if (list) {
      KernelBench.cases(sparse).forEach(one -> System.out.println(one.name() + " " + one.size()));
      return 0;
    }
    KernelReport report = from == null ? runKernels() : Store.read(from, KernelReport.class);
    System.out.println(report.machine());
    KernelResult.table(report.results()).forEach(System.out::println);
    if (from == null) {
      Store.write(json == null ? Store.usual().file(form()) : json, report);
    }
    if (markdown != null) {
      put(markdown, form(), report.markdown());
    }
    if (svg != null) {
      Template.write(svg, SparsityChart.picture(report.results()));
      SparsityChart.sentences(report.results()).forEach(System.out::println);
    }
    show(List.of(), List.of(report));
    return 0;
  }

  private KernelReport runKernels() throws IOException, InterruptedException {
    List<KernelResult> results = KernelBench.run(sparse, only, settings(), !withoutPeers);
    return new KernelReport(Machine.here(), command(), now(), Ceilings.measure(), results);
  }

  /** Writes the page and names it, last of all. */
  private void show(List<Report> steps, List<KernelReport> others) throws IOException {
    BenchPage shown = new BenchPage(steps, others);
    if (from == null) {
      BenchPage stored = Store.usual().page(Machine.here());
      shown = json == null ? stored : shown.and(stored);
    }
    Path file = page == null ? Store.usual().folder().resolve("bench.html") : page;
    Template.write(file, shown.text());
    System.out.flush();
    System.err.println("Page: " + file.toAbsolutePath());
  }

  private static String now() {
    return ZonedDateTime.now(ZoneOffset.UTC)
        .format(DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm 'UTC'", java.util.Locale.ROOT));
  }

  private Rounds.Settings settings() {
    return quick
        ? new Rounds.Settings(0.1, 0.3, 0.003, 3, 31)
        : new Rounds.Settings(0.3, ratios || kernels || sparse || rules ? 2 : 3, 0.004, 7, 301);
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
    return new Report(Machine.here(), command(), now(), Ceilings.measure(), results);
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
        + (kernels ? " --kernels" : "")
        + (sparse ? " --sparse" : "")
        + (quick ? " --quick" : "");
  }

  /** The form of the command, which its file is named after. */
  private String form() {
    return sparse
        ? "sparse"
        : kernels ? "kernels" : selection().name().toLowerCase(java.util.Locale.ROOT);
  }
}
