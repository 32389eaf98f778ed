package org.fettle.steps;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Access;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Norms;
import org.fettle.internal.kernels.StepKernels;

/**
 * SAF's trajectory loss: a network that stays near what it said some epochs ago has a flat minimum.
 *
 * <pre>
 * loss = lambda * T^2 / b * sum of KL(softmax(past / T) | softmax(z / T))
 * gradient = lambda * T / b * (softmax(z / T) - softmax(past / T))
 * </pre>
 *
 * <p>Rows in double, by a log-soft-max. past are the logits of the same examples three epochs
 * before (a caller keeps four), used between the epochs 5 and 300; MESA takes an average model's.
 * The same bits on every backend. Source: arXiv:2205.14083; AngusDujw/SAF.
 *
 * @param lambda the strength, finite and at least 0; default 0.16, 0.3 for MESA
 * @param temperature T, positive; default 5
 */
public record Saf(double lambda, double temperature) {
  /** Checks the hyperparameters. */
  public Saf {
    Range.nonNegative("lambda", lambda);
    Range.positive("temperature", temperature);
  }

  /** The defaults. */
  public Saf() {
    this(0.16, 5);
  }

  /** The loss alone, of batch x classes logits in F32. */
  public double loss(Backend backend, Tensor logits, Tensor past) {
    Access.checks(backend).reads("logits", logits).readsLike("past", past, logits).done();
    return run(Access.engine(backend), logits, past, null);
  }

  /**
   * The loss and its gradient for the logits.
   *
   * @param logits batch x classes, F32
   * @param past of the same shape
   * @param output receives the gradient
   */
  public double gradient(Backend backend, Tensor logits, Tensor past, Tensor output) {
    Access.checks(backend)
        .reads("logits", logits)
        .readsLike("past", past, logits)
        .writesLike("output", output, logits)
        .done();
    Kernels.f32("output", output);
    return run(Access.engine(backend), logits, past, output);
  }

  private double run(Engine engine, Tensor logits, Tensor past, Tensor output) {
    Kernels.f32("logits", logits);
    Kernels.f32("past", past);
    if (logits.rank() != 2 || logits.shape()[1] == 0) {
      throw new IllegalArgumentException("logits is " + logits + ": expected batch x classes");
    }
    long batch = logits.shape()[0];
    if (batch == 0) {
      return 0;
    }
    Tensor losses = engine.allocate(DType.F64, new long[] {batch}, 0);
    try {
      engine.run(
          new KernelCall(StepKernels.SAF)
              .arrays(logits, past, output, losses)
              .integers(logits.shape()[1])
              .numbers(temperature, lambda * temperature / (double) batch)
              .units(batch, 32 * logits.elements()));
      double sum = Norms.sum(Doubles.read(engine, losses));
      return lambda * temperature * temperature / (double) batch * sum;
    } finally {
      engine.release(losses);
    }
  }
}
