package org.fettle;

import java.util.List;
import java.util.Objects;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.CallChecks;

/**
 * Collects the tensors of a call, and refuses what does not fit before anything is written. Every
 * message names the tensor, the expected and the actual.
 */
final class BatchChecks implements CallChecks {
  private final Backend backend;
  private final Spans spans = new Spans();

  BatchChecks(Backend backend) {
    this.backend = Objects.requireNonNull(backend, "backend");
  }

  /** The name of a tensor of a list. */
  static String name(String what, int index) {
    return what + " " + index;
  }

  static void sameSize(String name, int actual, String other, int expected) {
    if (actual != expected) {
      throw new IllegalArgumentException(
          actual + " " + name + ": expected " + expected + ", as many as " + other);
    }
  }

  /** A tensor that is read. */
  @Override
  public BatchChecks reads(String name, Tensor tensor) {
    return add(name, tensor, false);
  }

  /** A tensor that is written, and may be read as well. */
  @Override
  public BatchChecks writes(String name, Tensor tensor) {
    return add(name, tensor, true);
  }

  /** A tensor of the shape of another that is written. */
  @Override
  public BatchChecks writesLike(String name, Tensor tensor, Tensor other) {
    Objects.requireNonNull(tensor, name);
    PlanChecks.like(name, tensor, other);
    return add(name, tensor, true);
  }

  /** A tensor of the shape of another that is read. */
  @Override
  public BatchChecks readsLike(String name, Tensor tensor, Tensor other) {
    Objects.requireNonNull(tensor, name);
    PlanChecks.like(name, tensor, other);
    return add(name, tensor, false);
  }

  /** Input and output of one shape, which may be one memory if their formats agree. */
  BatchChecks maps(String inputName, Tensor input, String outputName, Tensor output) {
    Objects.requireNonNull(output, outputName);
    PlanChecks.like(outputName, output, Objects.requireNonNull(input, inputName));
    if (!isSame(input, output)) {
      reads(inputName, input);
    }
    return writes(outputName, output);
  }

  /** Refuses memory that is written and stands in two places. */
  @Override
  public void done() {
    spans.check();
  }

  private BatchChecks add(String name, Tensor tensor, boolean written) {
    Objects.requireNonNull(tensor, name);
    PlanChecks.floating(name, tensor);
    PlanChecks.onDevice(name, tensor, backend);
    PlanChecks.notFreed(name, tensor, backend);
    spans.add(name, tensor, written);
    return this;
  }

  private static boolean isSame(Tensor a, Tensor b) {
    if (a == b) {
      return true;
    }
    if (a.dtype() != b.dtype() || !org.fettle.internal.Addresses.known()) {
      return false;
    }
    return a.address() == b.address();
  }

  /** Lays out, runs and frees a batch whose items all have the same factors. */
  static double[] run(Backend backend, List<Batch.Item> items, double... factors) {
    try (BatchRunner runner = backend.engine().open(new Batch(items))) {
      double[] sums = new double[items.size()];
      for (int i = 0; i < sums.length; i++) {
        for (int k = 0; k < factors.length; k++) {
          runner.factor(i, k, factors[k]);
        }
      }
      runner.run();
      for (int i = 0; i < sums.length; i++) {
        sums[i] = runner.sum(i, 0);
      }
      return sums;
    }
  }
}
