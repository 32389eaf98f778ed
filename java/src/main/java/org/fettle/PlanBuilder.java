package org.fettle;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.fettle.internal.Blocks;
import org.fettle.internal.Engine;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.RowDoubles;
import org.fettle.internal.Runner;

/** Collects what a {@link Plan} is made of, and checks all of it. */
public final class PlanBuilder {
  private final List<Rule> rules = new ArrayList<>();
  private final List<List<Parameter>> groups = new ArrayList<>();
  private GradientClip clip = GradientClip.NONE;
  private NonFinite nonFinite = NonFinite.PASS;
  private List<Average> averages = List.of(new Average(0.9999));
  private MaskedStates maskedStates = MaskedStates.ZERO;
  private DType stateDType = DType.F32;
  private StateFormat stateFormat;
  private Rounding parameterRounding = Rounding.NEAREST;
  private Rounding copyRounding = Rounding.NEAREST;
  private Rounding stateRounding = Rounding.NEAREST;
  private long seed;
  private int threads = Runtime.getRuntime().availableProcessors();
  private Executor executor;
  private Backend backend;

  PlanBuilder() {}

  /** Adds a group: a rule and the parameters that it updates. Groups are numbered from 0. */
  public PlanBuilder group(Rule rule, Parameter... parameters) {
    return group(rule, List.of(parameters));
  }

  /** Adds a group: a rule and the parameters that it updates. Groups are numbered from 0. */
  public PlanBuilder group(Rule rule, List<Parameter> parameters) {
    Objects.requireNonNull(rule, "rule");
    // Both or neither: List.copyOf refuses nulls.
    List<Parameter> group = List.copyOf(parameters);
    rules.add(rule);
    groups.add(group);
    return this;
  }

  /** Limits on the gradients; none by default. */
  public PlanBuilder clip(GradientClip newClip) {
    clip = Objects.requireNonNull(newClip, "clip");
    return this;
  }

  /** What a non-finite gradient does; {@link NonFinite#PASS} by default. */
  public PlanBuilder nonFinite(NonFinite policy) {
    nonFinite = Objects.requireNonNull(policy, "policy");
    return this;
  }

  /** How the averages of parameters that have one move; decay 0.9999 by default. */
  public PlanBuilder average(Average average) {
    return averages(Objects.requireNonNull(average, "average"));
  }

  /**
   * How several averages of one parameter move, in the order in which {@link Parameter#averages}
   * has them; each sees the parameter that the ones before it left. At most {@value
   * PlanSpec#MAX_AVERAGES}.
   */
  public PlanBuilder averages(Average... newAverages) {
    List<Average> all = List.of(newAverages);
    if (all.isEmpty() || all.size() > PlanSpec.MAX_AVERAGES) {
      throw new IllegalArgumentException(
          all.size() + " averages: expected 1 to " + PlanSpec.MAX_AVERAGES);
    }
    averages = all;
    return this;
  }

  /**
   * What becomes of the states of parameters that have a pruning mask; {@link MaskedStates#ZERO} by
   * default.
   */
  public PlanBuilder maskedStates(MaskedStates policy) {
    maskedStates = Objects.requireNonNull(policy, "policy");
    return this;
  }

  /** How the states are stored: F32 by default, BF16 or F16. */
  public PlanBuilder states(DType dtype, Rounding rounding) {
    stateDType = Objects.requireNonNull(dtype, "dtype");
    stateRounding = Objects.requireNonNull(rounding, "rounding");
    stateFormat = null;
    return this;
  }

  /**
   * How the states are stored: by blocks, in a low-bit format, where the tensor is large enough.
   */
  public PlanBuilder states(StateFormat format) {
    stateFormat = Objects.requireNonNull(format, "format");
    stateDType = DType.F32;
    stateRounding = Rounding.NEAREST;
    return this;
  }

  /** How parameters of 16 bits are rounded; to nearest by default. */
  public PlanBuilder rounding(Rounding rounding) {
    parameterRounding = Objects.requireNonNull(rounding, "rounding");
    return this;
  }

  /** How low-precision copies are rounded; to nearest by default. */
  public PlanBuilder copyRounding(Rounding rounding) {
    copyRounding = Objects.requireNonNull(rounding, "rounding");
    return this;
  }

  /** The seed of everything random; all 64 bits count. 0 by default. */
  public PlanBuilder seed(long newSeed) {
    seed = newSeed;
    return this;
  }

  /**
   * The most threads that may work on a step; all processors by default. Results do not depend on
   * it.
   */
  public PlanBuilder threads(int most) {
    Range.check("threads", most, most >= 1, ">= 1");
    threads = most;
    return this;
  }

  /**
   * Where a step fans out; the common pool by default. What it rejects runs on the caller's thread.
   */
  public PlanBuilder executor(Executor newExecutor) {
    executor = Objects.requireNonNull(newExecutor, "executor");
    return this;
  }

  /**
   * What carries out the steps; {@link Backend#best} by default, or CUDA where the tensors are on a
   * device.
   */
  public PlanBuilder backend(Backend newBackend) {
    backend = Objects.requireNonNull(newBackend, "backend");
    return this;
  }

  /**
   * Checks everything, allocates the states and lays out the work.
   *
   * @throws IllegalArgumentException naming the tensor, what was expected and what was found
   * @throws OutOfMemoryError if there is no memory for the states; whatever was allocated is freed
   */
  public Plan build() {
    Backend chosen = backend == null ? PlanChecks.backendFor(groups) : backend;
    PlanChecks.all(rules, groups, stateDType, averages.size(), chosen);
    Engine engine = chosen.engine();
    List<Tensor> allocated = new ArrayList<>();
    List<RowDoubles> rowStates = new ArrayList<>();
    Runner runner = null;
    try {
      List<PlanSpec.Entry> entries = new ArrayList<>();
      for (int group = 0; group < groups.size(); group++) {
        for (Parameter parameter : groups.get(group)) {
          Rule rule = rules.get(group);
          long rows = rowsOf(rule, parameter.value());
          RowDoubles rowState = null;
          if (rule.rowwise() && rule.rowState() != null) {
            rowState = RowDoubles.filled(rows, rule.initialRowState());
            rowStates.add(rowState);
          }
          List<Tensor> states = new ArrayList<>();
          List<Optional<Blocks>> blocks = new ArrayList<>();
          for (int k = 0; k < rule.states().size(); k++) {
            StateStart start = new StateStart(engine, rule, k, seed, entries.size());
            if (stateFormat != null && stateFormat.fits(parameter.value().elements())) {
              Blocks stored = scales(engine, rule, k, parameter, rows, allocated);
              states.add(codes(engine, stored, k, parameter, rows, allocated));
              blocks.add(Optional.of(stored));
              start.fill(states.get(k), stored, rows, parameter.value().elements());
            } else {
              states.add(engine.allocate(stateDType, parameter.value().shape(), k));
              allocated.add(states.get(k));
              blocks.add(Optional.empty());
              start.fill(states.get(k));
            }
          }
          entries.add(
              new PlanSpec.Entry(
                  group, parameter, List.copyOf(states), List.copyOf(blocks), rows, rowState));
        }
      }
      PlanSpec spec =
          new PlanSpec(
              List.copyOf(rules),
              List.copyOf(entries),
              clip,
              nonFinite,
              averages,
              maskedStates,
              parameterRounding,
              copyRounding,
              stateRounding,
              seed,
              threads,
              executor);
      runner = engine.open(spec);
      return new Plan(chosen, spec, runner);
    } finally {
      if (runner == null) {
        allocated.forEach(engine::release);
        rowStates.forEach(RowDoubles::close);
      }
    }
  }

  private static long rowsOf(Rule rule, Tensor value) {
    boolean splits =
        rule.rowwise() && (value.rank() > 1 || (value.rank() == 1 && rule.splitsVectors()));
    return splits ? value.shape()[0] : 1;
  }

  private Blocks scales(
      Engine engine, Rule rule, int state, Parameter parameter, long rows, List<Tensor> allocated) {
    int size = stateFormat.blockSize();
    long count = Blocks.count(size, rows, rowLength(parameter, rows));
    Tensor scales = engine.allocate(DType.F32, new long[] {count}, state + 4);
    allocated.add(scales);
    return new Blocks(stateFormat.of(rule, state), size, scales);
  }

  private static Tensor codes(
      Engine engine,
      Blocks blocks,
      int state,
      Parameter parameter,
      long rows,
      List<Tensor> allocated) {
    long bytes = Blocks.bytes(blocks.format(), rows, rowLength(parameter, rows));
    Tensor codes = engine.allocate(DType.U8, new long[] {bytes}, state);
    allocated.add(codes);
    return codes;
  }

  private static long rowLength(Parameter parameter, long rows) {
    return rows == 0 ? 0 : parameter.value().elements() / rows;
  }
}
