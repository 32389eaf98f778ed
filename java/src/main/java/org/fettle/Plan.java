package org.fettle;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.fettle.internal.PlanSpec;
import org.fettle.internal.Runner;

/**
 * Steps over a fixed list of parameters. Built once: the builder checks everything, allocates the
 * states and lays out the work; {@link #step} then allocates nothing.
 *
 * <p>Tensors are numbered over all groups in the order in which they were added. A plan is used by
 * one thread at a time: a second thread that steps it meanwhile gets an {@link
 * IllegalStateException}. Closing waits for a step that is under way.
 */
public final class Plan implements AutoCloseable {
  private static final Step DEFAULT_STEP = new Step();

  private final Backend backend;
  private final PlanSpec spec;
  private final Runner runner;
  private final String[][] inputs;
  private final AtomicReference<Thread> user = new AtomicReference<>();
  private volatile boolean closed;
  private volatile String broken;
  private boolean released;
  private boolean staged;
  private Spans written;

  Plan(Backend backend, PlanSpec spec, Runner runner) {
    this.backend = backend;
    this.spec = spec;
    this.runner = runner;
    inputs =
        spec.rules().stream()
            .map(rule -> rule.inputs().toArray(new String[0]))
            .toArray(String[][]::new);
  }

  /** Starts a plan. */
  public static PlanBuilder builder() {
    return new PlanBuilder();
  }

  /** One step with every rule's own learning rate. */
  public void step() {
    step(DEFAULT_STEP);
  }

  /**
   * One step. Either all parameters of the groups that take part are updated, or none.
   *
   * @throws IllegalArgumentException if {@code step} names a group that the plan does not have, or
   *     lacks an input of a rule; nothing was changed
   * @throws NonFiniteGradientException if the plan raises at non-finite gradients and there is one;
   *     nothing was changed
   * @throws IllegalStateException if the plan is closed, or another thread is using it
   */
  public void step(Step step) {
    checkGroups(step);
    checkInputs(step);
    enter();
    boolean applied;
    try {
      runner.checkThread();
      runner.stage(step);
      staged = true;
      applied = take();
    } finally {
      leave();
    }
    raise(applied);
  }

  private boolean take() {
    try {
      return runner.stepStaged();
    } catch (Error | RuntimeException e) {
      broken = "a step failed half way: " + e;
      throw e;
    }
  }

  /**
   * Takes over what the following {@link #stepStaged} are given. On CUDA this reaches the device in
   * the stream's order, so a captured step that is replayed afterwards uses it too.
   */
  public void stage(Step step) {
    checkGroups(step);
    checkInputs(step);
    enter();
    try {
      runner.stage(step);
      staged = true;
    } finally {
      leave();
    }
  }

  private void checkInputs(Step step) {
    for (int group = 0; group < inputs.length; group++) {
      for (String input : inputs[group]) {
        if (!step.skips(group) && Double.isNaN(step.input(input))) {
          throw new IllegalArgumentException(
              "step has no input " + input + ": expected one for group " + group);
        }
      }
    }
  }

  /**
   * One step with what was staged last. The form for capturing a step into a CUDA graph: stage,
   * capture this call once, and stage again before each replay.
   */
  public void stepStaged() {
    enter();
    boolean applied;
    try {
      if (!staged) {
        throw new IllegalStateException("nothing is staged: expected stage(Step) before");
      }
      runner.checkThread();
      applied = take();
    } finally {
      leave();
    }
    raise(applied);
  }

  /** The CUDA stream ({@code cudaStream_t}) of the following calls; has no effect on the CPU. */
  public void setStream(long stream) {
    enter();
    try {
      runner.stream(stream);
    } finally {
      leave();
    }
  }

  /**
   * Whether the last step was applied; false if a non-finite gradient stopped it. On CUDA this
   * waits for the stream.
   */
  public boolean lastStepApplied() {
    enter();
    try {
      return !runner.stopped();
    } finally {
      leave();
    }
  }

  private void checkGroups(Step step) {
    Objects.requireNonNull(step, "step");
    if (step.groups() > spec.rules().size()) {
      throw new IllegalArgumentException(
          "step names group " + (step.groups() - 1) + ": expected below " + spec.rules().size());
    }
  }

  private void raise(boolean applied) {
    if (!applied && spec.nonFinite() == NonFinite.RAISE) {
      throw new NonFiniteGradientException(
          "a gradient is infinite or NaN; parameters, states and step counters are unchanged");
    }
  }

  /**
   * Replaces a tensor's gradient, for callers whose gradients move.
   *
   * @param tensor the tensor's number
   * @param gradient of the parameter's shape and device; null if there is none, which leaves the
   *     tensor alone, and is taken also by a plan that a failed step has broken
   */
  public void setGradient(int tensor, Tensor gradient) {
    PlanSpec.Entry entry = entry(tensor);
    if (gradient != null) {
      PlanChecks.gradient(PlanChecks.name(entry, tensor), entry, gradient, backend);
    }
    enter(gradient == null);
    try {
      if (gradient != null) {
        written().check(PlanChecks.name(entry, tensor) + ".gradient", gradient);
      }
      runner.gradient(tensor, gradient);
    } finally {
      leave();
    }
  }

  /** The number of tensors. */
  public int tensors() {
    return spec.tensors().size();
  }

  /** A tensor's parameter, as it was given. */
  public Parameter parameter(int tensor) {
    return entry(tensor).parameter();
  }

  /** The rule of a tensor's group. */
  public Rule rule(int tensor) {
    return spec.rules().get(entry(tensor).group());
  }

  /**
   * A state of a tensor, by one of the names of {@link Rule#states}: a view that lives as long as
   * the plan. Of a block-wise format it has the codes, as U8; see {@link #scales}.
   */
  public Tensor state(int tensor, String name) {
    int index = rule(tensor).states().indexOf(name);
    if (index < 0) {
      throw new IllegalArgumentException(
          "state " + name + " of tensor " + tensor + ": expected one of " + rule(tensor).states());
    }
    checkOpen();
    return entry(tensor).states().get(index);
  }

  /**
   * The scales of a block-wise state, one F32 per block: a view that lives as long as the plan.
   *
   * @throws IllegalArgumentException if the tensor has no such state, or it is not stored by blocks
   */
  public Tensor scales(int tensor, String name) {
    Tensor state = state(tensor, name);
    PlanSpec.Entry entry = entry(tensor);
    return entry
        .blocks()
        .get(entry.states().indexOf(state))
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "state " + name + " of tensor " + tensor + " is " + state + ": no blocks"))
        .scales();
  }

  /** The step counter t of a tensor: how many steps it has taken. */
  public long stepCount(int tensor) {
    entry(tensor);
    enter();
    try {
      return runner.stepCount(tensor);
    } finally {
      leave();
    }
  }

  /** A scalar of a tensor, by one of the names of {@link Rule#scalars}. */
  public double scalar(int tensor, String name) {
    int index = scalarIndex(tensor, name);
    enter();
    try {
      return runner.scalar(tensor, index);
    } finally {
      leave();
    }
  }

  /** What the rule keeps for one row of a tensor ({@link Rule#rowState}). */
  public double rowState(int tensor, long row) {
    PlanSpec.Entry entry = entry(tensor);
    if (entry.rowState() == null) {
      throw new IllegalArgumentException(
          "rule " + rule(tensor).id() + " of tensor " + tensor + " keeps nothing per row");
    }
    Range.check("row", row, row >= 0 && row < entry.rows(), "in [0, " + entry.rows() + ")");
    enter();
    try {
      runner.readRows();
      return entry.rowState().get(row);
    } finally {
      leave();
    }
  }

  /**
   * Sets a tensor's step counter, for a state that comes from elsewhere.
   *
   * @param steps how many steps the tensor has taken, at least 0
   */
  public void setStepCount(int tensor, long steps) {
    entry(tensor);
    Range.check("stepCount", steps, steps >= 0, ">= 0");
    enter();
    try {
      runner.stepCount(tensor, steps);
    } finally {
      leave();
    }
  }

  /** Sets a scalar of a tensor, by one of the names of {@link Rule#scalars}. */
  public void setScalar(int tensor, String name, double value) {
    int index = scalarIndex(tensor, name);
    enter();
    try {
      runner.scalar(tensor, index, value);
    } finally {
      leave();
    }
  }

  /**
   * Writes the states, step counters and scalars to a safetensors file. Parameters, averages and
   * masks are the caller's and are not in it. Whatever stood there is replaced once the new file is
   * whole.
   *
   * <p>A plan of the same tensors and rules that {@link #load}s the file, on any backend, goes on
   * with the same bits.
   *
   * @throws IllegalArgumentException if two tensors have the same name
   * @throws IOException if the file cannot be written; the old one is untouched
   */
  public void save(Path file) throws IOException {
    enter();
    try {
      new StateFile(spec, backend.engine(), runner).write(file);
    } finally {
      leave();
    }
  }

  /**
   * Takes states, step counters and scalars from a file that {@link #save} wrote.
   *
   * @throws IllegalArgumentException if the file is damaged, newer than this library or belongs to
   *     a plan with other tensors, names, rules, state formats or another seed; nothing was changed
   * @throws IOException if the file cannot be read; nothing was changed, unless reading fails after
   *     the whole file has been read once: the plan then refuses further steps
   */
  public void load(Path file) throws IOException {
    enter();
    try (StateFile.Loaded loaded = new StateFile(spec, backend.engine(), runner).open(file)) {
      broken = "loading " + file + " failed half way";
      loaded.restore();
      broken = null;
    } finally {
      leave();
    }
  }

  /**
   * The global gradient norm of the last step, unscaled and clipped by value but before clipping by
   * norm; NaN if the plan does not need it or has made no step.
   */
  public double gradientNorm() {
    enter();
    try {
      return runner.gradientNorm();
    } finally {
      leave();
    }
  }

  /** As {@link #gradientNorm()}, of one tensor. */
  public double gradientNorm(int tensor) {
    entry(tensor);
    enter();
    try {
      return runner.gradientNorm(tensor);
    } finally {
      leave();
    }
  }

  /** The backend that carries out the steps. */
  public Backend backend() {
    return backend;
  }

  /** Bytes of all states. */
  public long stateBytes() {
    return spec.tensors().stream()
        .flatMap(entry -> Stream.concat(entry.states().stream(), entry.scales().stream()))
        .mapToLong(Tensor::bytes)
        .sum();
  }

  /** Frees the states. Waits for a step that is under way; closing twice is fine. */
  @Override
  public void close() {
    if (user.get() == Thread.currentThread()) {
      throw new IllegalStateException("a plan cannot be closed by its own step");
    }
    // From here on nobody enters, so that a stream of steps cannot keep this thread waiting.
    closed = true;
    for (int spins = 0; !user.compareAndSet(null, Thread.currentThread()); spins++) {
      if (spins < 1000) {
        Thread.onSpinWait();
      } else {
        LockSupport.parkNanos(50_000);
      }
    }
    try {
      if (released) {
        return;
      }
      released = true;
      runner.close();
      for (PlanSpec.Entry entry : spec.tensors()) {
        entry.states().forEach(backend.engine()::release);
        entry.scales().forEach(backend.engine()::release);
        if (entry.rowState() != null) {
          entry.rowState().close();
        }
      }
    } finally {
      user.set(null);
    }
  }

  /** Formed when a gradient moves for the first time; used under {@link #enter}. */
  private Spans written() {
    if (written == null) {
      written = Spans.writtenBy(spec);
    }
    return written;
  }

  PlanSpec spec() {
    return spec;
  }

  private int scalarIndex(int tensor, String name) {
    int index = rule(tensor).scalars().indexOf(name);
    if (index < 0) {
      throw new IllegalArgumentException(
          "scalar "
              + name
              + " of tensor "
              + tensor
              + ": expected one of "
              + rule(tensor).scalars());
    }
    return index;
  }

  private PlanSpec.Entry entry(int tensor) {
    if (tensor < 0 || tensor >= spec.tensors().size()) {
      throw new IllegalArgumentException(
          "tensor " + tensor + ": expected 0 to " + (spec.tensors().size() - 1));
    }
    return spec.tensors().get(tensor);
  }

  private void enter() {
    enter(false);
  }

  private void enter(boolean evenBroken) {
    checkOpen();
    if (!user.compareAndSet(null, Thread.currentThread())) {
      throw new IllegalStateException("the plan is in use by another thread");
    }
    if (closed || (broken != null && !evenBroken)) {
      String reason = closed ? "the plan is closed" : "the plan is broken: " + broken;
      user.set(null);
      throw new IllegalStateException(reason);
    }
  }

  private void leave() {
    user.set(null);
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the plan is closed");
    }
  }

  /** Everything by name, for messages. */
  @Override
  public String toString() {
    return "Plan"
        + Map.of(
            "tensors",
            tensors(),
            "backend",
            backend.name(),
            "groups",
            new ArrayList<>(spec.rules()));
  }
}
