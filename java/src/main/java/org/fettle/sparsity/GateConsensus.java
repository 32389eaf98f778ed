package org.fettle.sparsity;

import org.fettle.Backend;
import org.fettle.DType;
import org.fettle.Range;
import org.fettle.Tensor;
import org.fettle.internal.Engine;
import org.fettle.internal.KernelCall;
import org.fettle.internal.Scratch;
import org.fettle.internal.Selector;
import org.fettle.internal.TensorChecks;
import org.fettle.internal.kernels.PenaltyKernels;

/**
 * Consensus of hard gates over a batch (after the abstract of arXiv:2302.10798; the rule is our
 * own): with p a unit's share of open gates, the loss is the mean of {@code p (1 - p)}, its
 * gradient goes straight through the hard gate, and units with p above one half are kept.
 *
 * @param threshold above which a gate is open; 0.5 by default
 */
public record GateConsensus(double threshold) {
  /** Checks the threshold. */
  public GateConsensus {
    Range.check("threshold", threshold, Double.isFinite(threshold), "finite");
  }

  /**
   * Evaluates gates.
   *
   * @param gates F32 [batch, units], batch &gt;= 1 and units &gt;= 1
   * @param hard U8 of that shape, which receives 0 and 1
   * @param means F64 [units], which receives p
   * @param keep BIT [units]
   * @param gradient F32 of the gates' shape
   * @return the loss
   */
  public double evaluate(
      Backend backend, Tensor gates, Tensor hard, Tensor means, Tensor keep, Tensor gradient) {
    TensorChecks checks = new TensorChecks(backend).reads("gates", gates, DType.F32);
    checks.rank("gates", gates, 2);
    long batch = gates.shape()[0];
    long units = gates.shape()[1];
    Range.check("gates", gates.elements(), gates.elements() > 0, "at least one");
    checks.writes("hard", hard, DType.U8).like("hard", hard, gates);
    checks.writes("means", means, DType.F64).shape("means", means, units);
    checks.writes("keep", keep, DType.BIT).shape("keep", keep, units);
    checks.writes("gradient", gradient, DType.F32).like("gradient", gradient, gates);
    Engine engine = checks.done();
    engine.run(
        new KernelCall(PenaltyKernels.GATE_CONSENSUS)
            .arrays(gates, hard, means, keep, gradient)
            .integers(batch, units)
            .numbers(threshold)
            .units(Selector.units(units, 8), gates.elements()));
    double loss = 0;
    for (double p : Scratch.doubles(engine, means)) {
      loss += p * (1 - p);
    }
    return loss / (double) units;
  }
}
