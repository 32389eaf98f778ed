package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Parameter;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;
import org.fettle.internal.Engine;
import org.fettle.internal.Norms;
import org.fettle.internal.algebra.Matrix;

/**
 * What the steps of this package have in common: a backend, states that go when the step is closed,
 * and one user at a time. A second thread meanwhile gets an {@link IllegalStateException}.
 */
abstract class StepObject implements AutoCloseable {
  final Engine engine;
  private final Backend backend;
  private final List<Tensor> states = new ArrayList<>();
  private final List<BatchRunner> runners = new ArrayList<>();
  private final AtomicBoolean inUse = new AtomicBoolean();
  private boolean closed;

  StepObject(Backend backend) {
    this.backend = backend;
    engine = Access.engine(backend);
  }

  /** The backend that carries out the steps. */
  public final Backend backend() {
    return backend;
  }

  /**
   * Bytes that this keeps between steps, with the memory that it works in; copies of what was given
   * to it count as well. May grow in the first step.
   */
  public final long stateBytes() {
    enter();
    try {
      long matrices =
          matrices()
              .filter(Objects::nonNull)
              .mapToLong(matrix -> (long) Double.BYTES * matrix.values().length)
              .sum();
      return matrices + states.stream().mapToLong(Tensor::bytes).sum();
    } finally {
      leave();
    }
  }

  /** What is kept in double on the host; some may be null. */
  Stream<Matrix> matrices() {
    return Stream.empty();
  }

  /** A zeroed state. */
  final Tensor allocate(long... shape) {
    return allocate(DType.F32, shape);
  }

  /** A zeroed state of another format. */
  final Tensor allocate(DType dtype, long... shape) {
    Tensor state = engine.allocate(dtype, shape, states.size());
    states.add(state);
    return state;
  }

  final BatchRunner open(List<Batch.Item> items) {
    BatchRunner runner = engine.open(new Batch(items));
    runners.add(runner);
    return runner;
  }

  final CallChecks checks() {
    return Access.checks(backend);
  }

  /** Refuses parameters that do not fit; every one needs a gradient and may have nothing else. */
  final CallChecks check(List<Parameter> parameters) {
    CallChecks checks = checks();
    for (int i = 0; i < parameters.size(); i++) {
      check(checks, "tensor " + i, parameters.get(i));
    }
    return checks;
  }

  static void check(CallChecks checks, String number, Parameter parameter) {
    String name = parameter.name() == null ? number : number + " (" + parameter.name() + ")";
    checks.writes(name, parameter.value());
    if (parameter.gradient() == null) {
      throw new IllegalArgumentException(name + " has no gradient: expected one");
    }
    checks.readsLike(name + ".gradient", parameter.gradient(), parameter.value());
    if (parameter.mask() != null || parameter.copy() != null || !parameter.averages().isEmpty()) {
      throw new IllegalArgumentException(
          name + " has a mask, copy or average: expected none, only plans have them");
    }
  }

  /** The sum over all items, in the fixed order. */
  static double total(BatchRunner runner, int items, int sum) {
    double[] sums = new double[items];
    for (int i = 0; i < items; i++) {
      sums[i] = runner.sum(i, sum);
    }
    return Norms.sum(sums);
  }

  /** The same factors for all items. */
  static void factors(BatchRunner runner, int items, double... factors) {
    for (int i = 0; i < items; i++) {
      for (int k = 0; k < factors.length; k++) {
        runner.factor(i, k, factors[k]);
      }
    }
  }

  final void enter() {
    if (!inUse.compareAndSet(false, true)) {
      throw new IllegalStateException("the step is in use by another thread");
    }
    if (closed) {
      inUse.set(false);
      throw new IllegalStateException("the step is closed");
    }
  }

  final void leave() {
    inUse.set(false);
  }

  /** A state by its number, with the check that the step is open. */
  final Tensor open(Tensor state) {
    enter();
    leave();
    return state;
  }

  /** Frees the states. Closing twice is fine. */
  @Override
  public void close() {
    if (!inUse.compareAndSet(false, true)) {
      throw new IllegalStateException("the step is in use by another thread");
    }
    if (!closed) {
      closed = true;
      runners.forEach(BatchRunner::close);
      states.forEach(engine::release);
    }
    inUse.set(false);
  }
}
