package org.fettle.demo;

import java.io.IOException;
import java.io.PrintWriter;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.fettle.Backend;
import org.fettle.Device;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Trains a small network in several ways, every update a step of a Fettle plan. */
@Command(
    name = "fettle demo",
    sortOptions = false,
    usageHelpAutoWidth = true,
    description = {
      "Trains a small network on Fashion-MNIST, once for each row. All rows start with the same"
          + " weights and see the same images in the same order; they differ in the plan that"
          + " updates the weights. Ends with a table and a page with curves.",
      "",
      "Without options the rows are the four optimizers SGD, AdamW, Lion and LAMB, with weights in"
          + " f32 and then with weights in nothing but bf16, rounded stochastically (-bf16).",
      ""
    },
    footer = {
      "",
      "Running it again on the same machine gives the same weights, bit by bit (the column 'bits'),"
          + " whatever the backend and the number of threads. Forward and backward are OpenBLAS's:"
          + " on another kind of CPU, or with another OPENBLAS_NUM_THREADS (1 unless it is set), its"
          + " sums round differently."
    })
final class Demo implements Callable<Integer> {
  private static final Logger LIBRARY_LOG = Logger.getLogger("org.fettle");

  @Option(
      names = "--rows",
      split = ",",
      paramLabel = "NAME",
      description = "train these rows; several with commas between them")
  private List<String> names;

  @Option(names = "--all", description = "train every row")
  private boolean all;

  @Option(names = "--list", description = "list the rows and end")
  private boolean list;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "passes over the training images (default: ${DEFAULT-VALUE})")
  private int epochs = 6;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "images of a mini-batch (default: ${DEFAULT-VALUE})")
  private int batch = 256;

  @Option(
      names = "--hidden",
      split = ",",
      paramLabel = "N",
      description = "widths of the hidden layers (default: ${DEFAULT-VALUE})")
  private List<Integer> hidden = List.of(256, 128);

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "of weights, order and rounding (default: ${DEFAULT-VALUE})")
  private long seed = 1;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "threads of a step (default: the processors)")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "java, cpu, cpu-v3 or cpu-v4 (default: the best for this machine)")
  private String backend;

  @Option(
      names = "--data",
      paramLabel = "FOLDER",
      description =
          "the four files of any data set in MNIST's format, plain or .gz (default: Fashion-MNIST,"
              + " installed, or fetched as Debian's package)")
  private Path data;

  @Option(
      names = "--page",
      paramLabel = "FILE",
      description = "where the page is written (default: ${DEFAULT-VALUE})")
  private Path page = build().resolve("demo.html");

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "this text")
  @SuppressWarnings("UnusedVariable") // picocli acts on it
  private boolean help;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  /** Runs the demo. */
  public static void main(String[] args) {
    LIBRARY_LOG.setLevel(Level.WARNING); // the backend is told with the rest
    System.exit(commandLine().execute(args));
  }

  /** The command line; a file that cannot be read or written ends it with a message and 1. */
  static CommandLine commandLine() {
    return new CommandLine(new Demo())
        .setParameterExceptionHandler(
            (e, arguments) -> {
              PrintWriter err = e.getCommandLine().getErr();
              err.println("fettle demo: " + e.getMessage());
              CommandLine.UnmatchedArgumentException.printSuggestions(e, err);
              err.println("Try: fettle demo --help");
              return e.getCommandLine().getCommandSpec().exitCodeOnInvalidInput();
            })
        .setExecutionExceptionHandler(
            (e, command, parsed) -> {
              if (e instanceof IOException) {
                command.getErr().println("fettle demo: " + e.getMessage());
                return 1;
              }
              throw e;
            });
  }

  @Override
  public Integer call() throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    PrintWriter err = spec.commandLine().getErr();
    if (list) {
      list(out);
      return 0;
    }
    long start = System.nanoTime();
    List<Row> rows = rows();
    Settings settings = settings();
    Dataset dataset = Dataset.read(data == null ? new DataSource(build(), err).find() : data);
    err.printf(
        Locale.ROOT,
        "%s: %,d images to learn from, %,d for the test. %d row(s) of %d epoch(s), backend %s%n",
        dataset.name(),
        dataset.train().count(),
        dataset.test().count(),
        rows.size(),
        settings.epochs(),
        settings.backend());
    int width = width(rows);
    Progress progress = Progress.on(err, width, rows.size());
    List<Result> results = new ArrayList<>();
    for (Row row : rows) {
      try (Run run = new Run(row, dataset, settings)) {
        results.add(run.train(progress));
      }
    }
    err.println();
    Table.print(out, results, width);
    double seconds = (System.nanoTime() - start) * 1e-9;
    new Page(dataset, settings, results, seconds).write(page);
    out.printf(Locale.ROOT, "%nIn %.0f s. Page: %s%n", seconds, page.toAbsolutePath().normalize());
    out.flush();
    return 0;
  }

  private static void list(PrintWriter out) {
    int width = width(Rows.all());
    Family family = null;
    for (Row row : Rows.all()) {
      if (row.family() != family) {
        family = row.family();
        out.println(family.title());
      }
      out.printf(
          "  %-" + width + "s %s %s%n",
          row.name(),
          Rows.standard().contains(row) ? "*" : " ",
          row.about());
    }
    out.println("* without options");
  }

  private List<Row> rows() {
    if (all && names != null) {
      throw wrong("--all and --rows: expected one of them");
    }
    if (names == null) {
      return all ? Rows.all() : Rows.standard();
    }
    List<Row> rows = new ArrayList<>();
    for (String name : new LinkedHashSet<>(names)) {
      rows.add(
          Rows.all().stream()
              .filter(row -> row.name().equals(name.strip()))
              .findFirst()
              .orElseThrow(
                  () ->
                      wrong(
                          "--rows: no row "
                              + name
                              + "; expected some of "
                              + String.join(", ", Rows.all().stream().map(Row::name).toList()))));
    }
    return rows;
  }

  private Settings settings() {
    atLeastOne("--epochs", epochs);
    atLeastOne("--batch", batch);
    atLeastOne("--threads", threads);
    for (int width : hidden) {
      atLeastOne("--hidden", width);
    }
    try {
      Backend chosen = backend == null ? Backend.best() : Backend.named(backend);
      if (!chosen.device().equals(Device.CPU)) {
        throw wrong("--backend is " + chosen + ": expected one for the CPU, where the network is");
      }
      return new Settings(epochs, batch, hidden, threads, chosen, seed);
    } catch (IllegalArgumentException | IllegalStateException e) {
      throw new CommandLine.ParameterException(
          spec.commandLine(), "--backend: " + e.getMessage(), e);
    }
  }

  private void atLeastOne(String option, int value) {
    if (value < 1) {
      throw wrong(option + " is " + value + ": expected at least 1");
    }
  }

  private CommandLine.ParameterException wrong(String message) {
    return new CommandLine.ParameterException(spec.commandLine(), message);
  }

  private static int width(List<Row> rows) {
    return rows.stream().mapToInt(row -> row.name().length()).max().orElse(0);
  }

  /** The folder for build products, beside the classes or the jar. */
  private static Path build() {
    try {
      return Path.of(Demo.class.getProtectionDomain().getCodeSource().getLocation().toURI())
          .getParent();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
