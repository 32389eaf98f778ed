package org.fettle.samebits;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.Tensor;
import org.fettle.TestAccess;
import org.fettle.internal.Engine;
import org.fettle.testkit.Arena;
import org.fettle.testkit.Bits;
import org.fettle.testkit.Inputs;

/**
 * Runs a case on every backend in lockstep and compares, after every step, everything that a step
 * can change or answer: whole blocks of memory with what lies between the arrays, states, step
 * counters, scalars, norms and exceptions.
 */
final class SameBitsRun implements AutoCloseable {
  private static final int LARGE = 100_000;
  private static final ExecutorService EXECUTOR =
      Executors.newFixedThreadPool(
          7,
          task -> {
            Thread thread = new Thread(task, "same-bits");
            thread.setDaemon(true);
            return thread;
          });
  private static final ForkJoinPool FORK_JOIN = new ForkJoinPool(8);

  private final List<Backend> backends;
  private final Map<String, Arena> arenas = new HashMap<>();
  private ByteBuffer expectedState = ByteBuffer.allocateDirect(0);
  private ByteBuffer actualState = ByteBuffer.allocateDirect(0);

  /** Compares these backends; the first one is what the others are compared with. */
  SameBitsRun(List<Backend> backends) {
    this.backends = backends;
  }

  /** What differs, for a person to read; null if nothing does. */
  String difference(SameBitsCase test) {
    SameBitsLayout layout = new SameBitsLayout(test);
    List<Side> sides = new ArrayList<>();
    try {
      for (Backend backend : backends) {
        sides.add(new Side(backend, test, layout));
      }
      int steps = test.size() > LARGE ? 3 : 4;
      for (int step = 0; step < steps; step++) {
        for (Side side : sides) {
          side.step(step);
        }
        for (Side side : sides.subList(1, sides.size())) {
          String difference = compare(layout, sides.get(0), side);
          if (difference != null) {
            return "step " + (step + 1) + ", backend " + side.backend + ": " + difference;
          }
        }
      }
      String damage = layout.damage(sides.get(0).arena.image());
      return damage == null ? null : "every backend: " + damage;
    } finally {
      sides.forEach(Side::close);
    }
  }

  private String compare(SameBitsLayout layout, Side expected, Side actual) {
    if (!expected.answer.equals(actual.answer)) {
      return "expected to answer " + expected.answer + ", answers " + actual.answer;
    }
    ByteBuffer a = expected.arena.image().slice(0, layout.bytes());
    ByteBuffer b = actual.arena.image().slice(0, layout.bytes());
    if (a.mismatch(b) >= 0) {
      a.order(ByteOrder.nativeOrder());
      b.order(ByteOrder.nativeOrder());
      for (SameBitsLayout.Place place : layout.places) {
        String difference = Bits.difference(a, b, place.dtype(), place.offset(), place.elements());
        if (difference != null) {
          return place.what() + " of tensor " + place.tensor() + ": " + difference;
        }
      }
      String damage = layout.damage(b);
      if (damage != null) {
        return damage;
      }
    }
    for (int tensor = 0; tensor < expected.plan.tensors(); tensor++) {
      String difference = compareTensor(tensor, expected, actual);
      if (difference != null) {
        return difference;
      }
    }
    return differs("gradient norm", expected.plan.gradientNorm(), actual.plan.gradientNorm());
  }

  private String compareTensor(int tensor, Side expected, Side actual) {
    Rule rule = expected.plan.rule(tensor);
    for (String name : rule.states()) {
      Tensor a = expected.plan.state(tensor, name);
      Tensor b = actual.plan.state(tensor, name);
      expectedState = read(expected.engine, a, expectedState);
      actualState = read(actual.engine, b, actualState);
      if (expectedState.mismatch(actualState) >= 0) {
        String difference =
            Bits.difference(expectedState, actualState, a.dtype(), 0, (int) a.elements());
        if (difference != null) {
          return "state " + name + " of tensor " + tensor + ": " + difference;
        }
      }
    }
    if (expected.plan.stepCount(tensor) != actual.plan.stepCount(tensor)) {
      return "step count of tensor "
          + tensor
          + ": expected "
          + expected.plan.stepCount(tensor)
          + ", is "
          + actual.plan.stepCount(tensor);
    }
    for (String name : rule.scalars()) {
      String difference =
          differs(
              "scalar " + name + " of tensor " + tensor,
              expected.plan.scalar(tensor, name),
              actual.plan.scalar(tensor, name));
      if (difference != null) {
        return difference;
      }
    }
    if (rule.rowState() != null) {
      SameBitsLayout.TensorPlaces places = expected.layout.tensors.get(tensor);
      long rows = places.extents().isEmpty() ? 1 : places.extents().get(0);
      // All of them, unless there are very many.
      for (long row = 0; row < rows; row += 1 + rows / 10_000) {
        String difference =
            differs(
                "row " + row + " of tensor " + tensor,
                expected.plan.rowState(tensor, row),
                actual.plan.rowState(tensor, row));
        if (difference != null) {
          return difference;
        }
      }
    }
    return differs(
        "gradient norm of tensor " + tensor,
        expected.plan.gradientNorm(tensor),
        actual.plan.gradientNorm(tensor));
  }

  private static String differs(String what, double expected, double actual) {
    return Double.compare(expected, actual) == 0
        ? null
        : what + ": expected " + expected + ", is " + actual;
  }

  private static ByteBuffer read(Engine engine, Tensor tensor, ByteBuffer reused) {
    int bytes = (int) tensor.bytes();
    ByteBuffer to =
        reused.capacity() >= bytes
            ? reused
            : ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    to.clear().limit(bytes);
    engine.read(tensor, 0, to);
    return to.flip();
  }

  private Arena arena(Backend backend, int bytes) {
    Arena arena = arenas.get(backend.name());
    if (arena == null || arena.bytes() < bytes) {
      if (arena != null) {
        arena.close();
      }
      arena = new Arena(backend, Math.max(bytes, 1 << 20));
      arenas.put(backend.name(), arena);
    }
    return arena;
  }

  @Override
  public void close() {
    arenas.values().forEach(Arena::close);
  }

  /** The case on one backend. */
  private final class Side implements AutoCloseable {
    final Backend backend;
    final Engine engine;
    final Arena arena;
    final Plan plan;
    String answer;
    private final SameBitsCase test;
    private final SameBitsLayout layout;

    Side(Backend backend, SameBitsCase test, SameBitsLayout layout) {
      this.backend = backend;
      this.test = test;
      this.layout = layout;
      engine = TestAccess.engine(backend);
      arena = arena(backend, layout.bytes());
      layout.fill(arena.image());
      arena.upload(layout.bytes());
      plan = plan();
      if (test.filledStates()) {
        fillStates();
      }
    }

    private Plan plan() {
      List<List<Parameter>> groups = List.of(new ArrayList<>(), new ArrayList<>());
      for (SameBitsLayout.TensorPlaces tensor : layout.tensors) {
        boolean later = test.shape() == SameBitsCase.Shape.NO_GRADIENT && tensor.group() == 1;
        groups
            .get(tensor.group())
            .add(
                new Parameter(
                    null,
                    view(tensor.value(), tensor.shape()),
                    later ? null : view(tensor.gradient(), tensor.shape()),
                    view(tensor.mask(), tensor.shape()),
                    view(tensor.copy(), tensor.shape()),
                    Stream.ofNullable(view(tensor.average(), tensor.shape())).toList()));
      }
      PlanBuilder builder = Plan.builder().group(test.rule(), groups.get(0));
      if (!groups.get(1).isEmpty()) {
        builder.group(test.otherRule(), groups.get(1));
      }
      builder
          .backend(backend)
          .states(test.state(), test.stateRounding())
          .rounding(test.parameterRounding())
          .copyRounding(test.copyRounding())
          .average(test.averaging())
          .maskedStates(test.maskedStates())
          .clip(test.clip())
          .nonFinite(test.nonFinite())
          .seed(test.seed())
          .threads(test.threads());
      if (test.spread() == SameBitsCase.Spread.EXECUTOR) {
        builder.executor(EXECUTOR);
      }
      return builder.build();
    }

    private Tensor view(SameBitsLayout.Place place, long[] shape) {
      return place == null
          ? null
          : arena.view(test.buffers(), place.offset(), place.dtype(), shape);
    }

    /** States that a step could have left: those of even number may be negative. */
    private void fillStates() {
      for (int tensor = 0; tensor < plan.tensors(); tensor++) {
        List<String> names = plan.rule(tensor).states();
        for (int k = 0; k < names.size(); k++) {
          Tensor state = plan.state(tensor, names.get(k));
          int n = (int) state.elements();
          ByteBuffer values =
              ByteBuffer.allocateDirect((int) state.bytes()).order(ByteOrder.nativeOrder());
          Inputs.fill(test.parameters(), state.dtype(), test.seed() + k, values, 0, n);
          if (k % 2 == 1) {
            Inputs.makePositive(state.dtype(), values, 0, n);
          }
          engine.write(state, 0, values);
        }
      }
    }

    void step(int number) {
      if (number > 0) {
        layout.gradients(arena.image(), number);
        arena.upload(layout.bytes());
      }
      moveGradients(number);
      Step step = stepOf(number);
      if (test.spread() == SameBitsCase.Spread.OWN_FORK_JOIN) {
        FORK_JOIN.invoke(ForkJoinTask.adapt(() -> answer = take(step)));
      } else {
        answer = take(step);
      }
      arena.download(layout.bytes());
    }

    private void moveGradients(int number) {
      for (int i = 0; i < layout.tensors.size(); i++) {
        SameBitsLayout.TensorPlaces tensor = layout.tensors.get(i);
        if (test.shape() == SameBitsCase.Shape.MOVING) {
          boolean missing = number == 2 && i == 0;
          SameBitsLayout.Place place = number % 2 == 0 ? tensor.gradient() : tensor.otherGradient();
          plan.setGradient(i, missing ? null : view(place, tensor.shape()));
        }
        if (test.shape() == SameBitsCase.Shape.NO_GRADIENT && number == 2 && tensor.group() == 1) {
          plan.setGradient(i, view(tensor.gradient(), tensor.shape()));
        }
      }
    }

    private Step stepOf(int number) {
      Step step = new Step().lossScale(test.lossScale());
      switch (test.rates()) {
        case OF_THE_RULE -> {}
        case FALLING -> step.lr(0.1 / (number + 1));
        case PER_GROUP -> step.lr(0, 0.01 * (number + 1));
        case ZERO_ONCE -> step.lr(number == 1 ? 0 : 1e-3);
      }
      for (Rule rule : List.of(test.rule(), test.otherRule())) {
        for (String input : rule.inputs()) {
          step.input(input, 1.5 - 0.7 * number);
        }
      }
      if (test.shape() == SameBitsCase.Shape.SKIPPED) {
        step.skip(1, number == 1);
      }
      return step;
    }

    private String take(Step step) {
      try {
        plan.step(step);
        return plan.lastStepApplied() ? "applied" : "stopped";
      } catch (RuntimeException | Error e) {
        return "throws " + e;
      }
    }

    @Override
    public void close() {
      plan.close();
    }
  }
}
