package org.fettle.tools;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.LongConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.merge.Checkpoint;
import org.fettle.merge.CheckpointMerge;
import org.fettle.merge.CheckpointMethods;
import org.fettle.merge.FisherMerge;
import org.fettle.merge.GradientMatchingMerge;
import org.fettle.merge.ModelStock;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The command {@code fettle merge}. */
@Command(
    name = "fettle merge",
    description = "Merges safetensors checkpoints, which may be larger than memory, into one.",
    sortOptions = false)
public final class MergeCommand implements Callable<Integer> {
  /** The methods, by their words. */
  enum Method {
    MEAN,
    LINEAR,
    MODEL_STOCK,
    FISHER,
    GRADIENT_MATCHING,
    VARIANCE_CORRECTED,
    ADASUM;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  @Spec private CommandSpec spec;

  @Parameters(arity = "1..*", paramLabel = "MODEL", description = "the checkpoints to merge")
  private List<Path> models;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FILE",
      description = "the merged checkpoint; not one of those that are read")
  private Path output;

  @Option(
      names = "--method",
      paramLabel = "METHOD",
      description = "one of: ${COMPLETION-CANDIDATES}; default ${DEFAULT-VALUE}")
  private Method method = Method.MEAN;

  @Option(
      names = "--weights",
      split = ",",
      paramLabel = "NUMBER",
      description =
          "one per model: coefficients (linear, fisher) or scales (gradient-matching);"
              + " equal ones by default")
  private List<Double> weights;

  @Option(
      names = "--base",
      paramLabel = "FILE",
      description = "the pre-trained checkpoint (model-stock, gradient-matching)")
  private Path base;

  @Option(
      names = "--fisher",
      split = ",",
      paramLabel = "FILE",
      description = "diagonal Fisher information or Hessian of each model, in their order")
  private List<Path> fisher;

  @Option(names = "--base-fisher", paramLabel = "FILE", description = "the same of the base")
  private Path baseFisher;

  @Option(names = "--by-rows", description = "model-stock: one cosine per row of the last axis")
  private boolean byRows;

  @Option(
      names = "--dtype",
      paramLabel = "F32|BF16|F16",
      description = "the format of merged arrays; that of the first model by default")
  private DType dtype;

  @Option(
      names = "--backend",
      paramLabel = "java|cpu",
      description = "what computes; the best one by default")
  private String backend;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this")
  @SuppressWarnings("UnusedVariable") // picocli looks at it
  private boolean help;

  private MergeCommand() {}

  /** Runs the command and exits: 0 if the checkpoint was written, 1 if not, 2 for a wrong call. */
  public static void main(String[] args) {
    System.exit(
        run(
            new PrintWriter(System.out, true, Charset.defaultCharset()),
            new PrintWriter(System.err, true, Charset.defaultCharset()),
            args));
  }

  static int run(PrintWriter out, PrintWriter err, String... args) {
    return new CommandLine(new MergeCommand())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setOut(out)
        .setErr(err)
        .setExecutionExceptionHandler(MergeCommand::explain)
        .execute(args);
  }

  private static int explain(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
    command.getErr().println("fettle merge: " + reason(e));
    return e instanceof IllegalArgumentException ? ExitCode.USAGE : ExitCode.SOFTWARE;
  }

  private static String reason(Exception e) {
    return e instanceof NoSuchFileException
        ? e.getMessage() + " is not there"
        : e.getMessage() == null ? e.toString() : e.getMessage();
  }

  @Override
  public Integer call() throws IOException {
    Backend chosen = backend == null ? Backend.best() : Backend.named(backend);
    List<Checkpoint> opened = new ArrayList<>();
    try {
      List<Checkpoint> sources = openAll(models, opened);
      CheckpointMerge.Checkpoints checkpoints =
          new CheckpointMerge.Checkpoints(
              sources,
              base == null ? null : open(base, opened),
              fisher == null ? List.of() : openAll(fisher, opened),
              baseFisher == null ? null : open(baseFisher, opened));
      CheckpointMerge merge = new CheckpointMerge(checkpoints, methodOn(chosen), dtype);
      long start = System.nanoTime();
      try (ProgressBar bar =
          new ProgressBarBuilder()
              .setTaskName("Merging")
              .setInitialMax(merge.bytes())
              .setUnit("MB", 1_000_000)
              .showSpeed()
              .build()) {
        LongConsumer progress = bar::stepBy;
        merge.write(chosen, output, progress);
      }
      double seconds = (System.nanoTime() - start) * 1e-9;
      spec.commandLine()
          .getOut()
          .printf(
              Locale.ROOT,
              "%s: %d checkpoints by %s, %.1f MB read and written in %.2f s%n",
              output,
              models.size(),
              method,
              merge.bytes() * 1e-6,
              seconds);
      return ExitCode.OK;
    } finally {
      for (Checkpoint checkpoint : opened) {
        checkpoint.close();
      }
    }
  }

  private CheckpointMerge.Method methodOn(Backend chosen) {
    List<Double> numbers =
        weights != null ? weights : Collections.nCopies(models.size(), equalWeight());
    if (numbers.size() != models.size()) {
      throw new ParameterException(
          spec.commandLine(),
          numbers.size() + " weights: expected " + models.size() + ", one per model");
    }
    return switch (method) {
      case MEAN -> CheckpointMethods.linear(chosen);
      case LINEAR ->
          CheckpointMethods.linear(
              chosen, numbers.stream().mapToDouble(Double::doubleValue).toArray());
      case MODEL_STOCK ->
          CheckpointMethods.modelStock(chosen, new ModelStock().withFilterWise(byRows));
      case FISHER -> CheckpointMethods.fisher(chosen, new FisherMerge(numbers, 1e-6, true, true));
      case GRADIENT_MATCHING ->
          CheckpointMethods.gradientMatching(
              chosen, new GradientMatchingMerge(numbers, 1, 1, 1e-10));
      case VARIANCE_CORRECTED -> CheckpointMethods.varianceCorrected(chosen);
      case ADASUM -> CheckpointMethods.adasum(chosen);
    };
  }

  private double equalWeight() {
    return method == Method.GRADIENT_MATCHING ? 1.0 : 1.0 / models.size();
  }

  private List<Checkpoint> openAll(List<Path> files, List<Checkpoint> opened) throws IOException {
    List<Checkpoint> checkpoints = new ArrayList<>();
    for (Path file : files) {
      checkpoints.add(open(file, opened));
    }
    return checkpoints;
  }

  private Checkpoint open(Path file, List<Checkpoint> opened) throws IOException {
    if (Files.exists(output) && Files.exists(file) && Files.isSameFile(file, output)) {
      throw new IllegalArgumentException(
          "the output " + output + " is one of the checkpoints: expected another file");
    }
    Checkpoint checkpoint = Checkpoint.open(file);
    opened.add(checkpoint);
    return checkpoint;
  }
}
