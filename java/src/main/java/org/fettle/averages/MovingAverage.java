package org.fettle.averages;

import java.util.List;
import java.util.Objects;
import org.fettle.Backend;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.CallChecks;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.AverageKernels;

/**
 * Moves averages outside a step: {@code average <- a * average + (1 - a) * weight}, several
 * averages in one pass over the weight. The factor comes from {@link org.fettle.Average#factor},
 * {@link HalfLife} or {@link PowerProfile}. With a = 0 the average becomes a copy, whatever stood
 * there.
 */
public final class MovingAverage {
  private MovingAverage() {}

  /**
   * Moves one average.
   *
   * @param keep a, in [0, 1]
   */
  public static void move(Backend backend, double keep, Tensor weight, Tensor average) {
    move(backend, new double[] {keep}, weight, List.of(average));
  }

  /**
   * Moves several averages of one weight: 4 bytes read for the weight, 4 read and 4 written for
   * each average.
   *
   * @param keeps a for each average, in [0, 1]
   * @param averages at most 15, of the weight's shape
   * @throws IllegalArgumentException naming what does not fit; nothing is written then
   */
  public static void move(Backend backend, double[] keeps, Tensor weight, List<Tensor> averages) {
    if (keeps.length != averages.size()) {
      throw new IllegalArgumentException(
          keeps.length + " factors: expected " + averages.size() + ", one per average");
    }
    for (double keep : keeps) {
      Range.check("factor", keep, keep >= 0 && keep <= 1, "in [0, 1]");
    }
    Range.check(
        "number of averages",
        averages.size(),
        averages.size() <= AverageKernels.MOST_AVERAGES,
        "<= " + AverageKernels.MOST_AVERAGES);
    CallChecks checks = Access.checks(backend).reads("weight", weight);
    for (int k = 0; k < averages.size(); k++) {
      checks.writesLike("average " + k, averages.get(k), weight);
    }
    checks.done();
    run(backend, AverageKernels.PRODUCTS, keeps, weight, averages);
  }

  /** Exchanges a weight and its average bit for bit; a second call undoes the first. */
  public static void swap(Backend backend, Tensor weight, Tensor average) {
    Objects.requireNonNull(average, "average");
    CallChecks checks = Access.checks(backend).writes("weight", weight);
    checks.writesLike("average", average, weight).done();
    if (weight.dtype() != average.dtype()) {
      throw new IllegalArgumentException(
          "average is " + average + ": expected " + weight.dtype() + ", to be exchanged");
    }
    Access.engine(backend)
        .run(
            new KernelCall(AverageKernels.SWAP_VALUES)
                .arrays(weight, average)
                .units(chunks(weight), weight.elements()));
  }

  /** Copies an average to the weight, as Switch EMA does. */
  public static void copy(Backend backend, Tensor average, Tensor weight) {
    CallChecks checks = Access.checks(backend).reads("average", average);
    checks.writesLike("weight", weight, average).done();
    run(backend, AverageKernels.PRODUCTS, new double[] {0}, average, List.of(weight));
  }

  static void run(
      Backend backend, int form, double[] numbers, Tensor weight, List<Tensor> averages) {
    KernelCall call =
        new KernelCall(AverageKernels.MOVE_AVERAGES)
            .array(0, weight)
            .integers(averages.size(), form)
            .numbers(numbers)
            .units(chunks(weight), weight.elements() * averages.size());
    for (int k = 0; k < averages.size(); k++) {
      call.array(1 + k, averages.get(k));
    }
    Access.engine(backend).run(call);
  }

  private static long chunks(Tensor tensor) {
    return tensor.elements() / 4096 + (tensor.elements() % 4096 != 0 ? 1 : 0);
  }
}
