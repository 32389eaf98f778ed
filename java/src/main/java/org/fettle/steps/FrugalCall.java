package org.fettle.steps;

import org.fettle.Arithmetic;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.kernels.StepKernels;

/** The call of FRUGAL's kernel. */
final class FrugalCall {
  static final int NOTHING = 0;
  static final int COLUMNS = 1;
  static final int ROWS = 2;
  static final int ELEMENTS = 3;

  private FrugalCall() {}

  /** Step j (from 1) of the present selection. */
  static void run(
      Engine engine,
      FrugalOptions options,
      double lr,
      long j,
      int selection,
      long columns,
      long selected,
      Tensor... arrays) {
    double[] size = sizes(options, lr, j);
    long elements = arrays[0].elements();
    engine.run(
        new KernelCall(StepKernels.FRUGAL)
            .arrays(arrays)
            .integers(elements, columns, selected, selection, options.othersNumber())
            .numbers(
                1.0 - lr * options.weightDecay(),
                options.beta1(),
                1.0 - options.beta1(),
                options.beta2(),
                1.0 - options.beta2(),
                -size[0],
                size[1],
                -lr * options.selectedScale() * options.otherScale())
            .units(Kernels.chunks(elements), elements));
  }

  /** The step size, and eps beside the root: both multiplied through by sqrt(1 - beta2^j). */
  static double[] sizes(FrugalOptions options, double lr, long j) {
    double size = lr * options.selectedScale();
    if (!options.correctBias()) {
      return new double[] {size, options.eps()};
    }
    double root = Math.sqrt(1.0 - Arithmetic.power(options.beta2(), j));
    return new double[] {
      size * root / (1.0 - Arithmetic.power(options.beta1(), j)), options.eps() * root
    };
  }
}
