package org.fettle.demo;

import org.fettle.Tensor;
import org.fettle.pruning.CubicSchedule;
import org.fettle.sparsity.Selection;

/**
 * Removes the smallest weights of all matrices, many at first and then fewer, while the training
 * goes on; the step's mask keeps them 0.
 */
final class Pruning extends Masked {
  private static final long UPDATES = 15;

  private final double share;
  private CubicSchedule schedule;

  /**
   * A recipe for one run.
   *
   * @param share of the weights that is gone after two thirds of the training
   */
  Pruning(double share) {
    this.share = share;
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    super.beginCycle(run, cycle);
    long steps = run.clock().steps();
    schedule = new CubicSchedule(0, share, steps / 6, UPDATES, Math.max(1, steps / 2 / UPDATES));
  }

  @Override
  public void batch(Run run) {
    long step = run.clock().step();
    if (schedule.isUpdate(step)) {
      long elements = weights.stream().mapToLong(Tensor::elements).sum();
      long kept = Math.round((1 - schedule.sparsityAt(step)) * elements);
      Selection.on(run.context().backend()).keepLargest(kept, weights, masks);
    }
    super.batch(run);
  }
}
