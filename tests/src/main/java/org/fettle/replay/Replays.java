package org.fettle.replay;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * All that can be replayed. Optimizer rules need no entry here: {@link RuleReplay} finds them in
 * the registry.
 */
public final class Replays {
  /** Whoever adds methods that are no optimizer rules adds a line. */
  private static final List<MethodReplay> METHODS =
      List.of(
          new RuleReplay(),
          new LayerSolverReplay(),
          new DhspgReplay(),
          new MaskTrainingReplay(),
          new MaskedMethodReplay(),
          new SparsityScheduleReplay(),
          new GradientReplay(),
          new PerturbationReplay(),
          new PrimitiveReplay(),
          new AverageReplay(),
          new ScheduleFreeReplay(),
          new AdaHessianReplay(),
          new LossStepReplay(),
          new AdafactorReplay(),
          new MatrixStepReplay(),
          new OuterStepReplay(),
          new FrugalReplay(),
          new RiemannianReplay(),
          new ObjectiveReplay(),
          new RowStepReplay(),
          new WeightAverageReplay(),
          new MergeReplay(),
          new SparseSoupReplay(),
          new PostHocReplay(),
          new FormatReplay(),
          new EstimatorReplay(),
          new CompressionReplay(),
          new EcoReplay(),
          new PhiloxReplay(),
          new SelectionReplay(),
          new SparseScoreReplay(),
          new SparseFormatReplay(),
          new QuantizerReplay(),
          new ProductReplay(),
          new LowBitReplay(),
          new CodeBookReplay());

  private Replays() {}

  /**
   * What became of one golden vector.
   *
   * @param method the method, or null if the file could not be read
   * @param failure why nothing could be compared, or null
   * @param comparisons of every output
   */
  public record Result(String method, String failure, List<Comparison> comparisons) {
    /** Whether every output was met. */
    public boolean passed() {
      return failure == null && comparisons.stream().allMatch(Comparison::passed);
    }
  }

  /** The methods that can be replayed. */
  public static Set<String> methods() {
    Set<String> methods = new TreeSet<>();
    METHODS.forEach(replay -> methods.addAll(replay.methods()));
    return methods;
  }

  /** Reads a golden vector and replays it on the backend of that name. */
  public static Result replay(Path file, String backend) {
    GoldenCase golden;
    try {
      golden = GoldenCase.read(file);
    } catch (IOException | IllegalArgumentException e) {
      return new Result(null, "cannot be read: " + e, List.of());
    }
    return replay(golden, backend);
  }

  /** Replays a golden vector on the backend of that name. */
  public static Result replay(GoldenCase golden, String backend) {
    MethodReplay replay = null;
    for (MethodReplay candidate : METHODS) {
      if (candidate.methods().contains(golden.method())) {
        replay = candidate;
      }
    }
    if (replay == null) {
      return new Result(golden.method(), "unknown method " + golden.method(), List.of());
    }
    Outputs outputs = new Outputs();
    List<Comparison> comparisons = new ArrayList<>();
    try (Workbench bench = new Workbench(backend)) {
      replay.replay(golden, bench, outputs);
      if (!golden.hyper().unread().isEmpty()) {
        throw new IllegalArgumentException(
            "method " + golden.method() + " has no option " + golden.hyper().unread());
      }
      for (String name : golden.outputs()) {
        comparisons.add(Comparison.of(golden, golden.array(name), outputs));
      }
    } catch (IllegalArgumentException | IllegalStateException e) {
      return new Result(golden.method(), e.getMessage(), List.of());
    } catch (RuntimeException e) {
      return new Result(golden.method(), "broke off: " + e, List.of());
    }
    return new Result(golden.method(), null, comparisons);
  }
}
