package org.fettle.demo;

import java.util.List;
import org.fettle.Tensor;
import org.fettle.pruning.LotteryTicket;

/**
 * Iterative magnitude pruning: train, remove the smallest of what is left, rewind the rest to an
 * early step, train again.
 */
final class Ticket extends Masked {
  private final double density;
  private final int levels;
  private List<Tensor> early;

  /**
   * A recipe for one run.
   *
   * @param density the share of weights that is left in the end
   * @param levels how often weights are removed
   */
  Ticket(double density, int levels) {
    this.density = density;
    this.levels = levels;
  }

  @Override
  public List<Cycle> cycles(int epochs) {
    return Cycle.of(epochs / 2).times(levels + 1);
  }

  /** What is rewound to: the end of the rise of the learning rate. */
  private static long earlyStep(Clock clock) {
    return Math.max(1, Math.round(Settings.WARM_UP * clock.cycleSteps()));
  }

  @Override
  public void beginCycle(Run run, int cycle) {
    super.beginCycle(run, cycle);
    if (cycle == 0) {
      return;
    }
    double share = 1 - Math.pow(density, 1.0 / levels);
    LotteryTicket ticket =
        new LotteryTicket(run.context().backend(), share, LotteryTicket.Count.EXACT);
    ticket.prune(weights, masks);
    List<Tensor> values = run.values();
    for (int i = 0; i < values.size(); i++) {
      values.get(i).buffer().put(early.get(i).buffer());
    }
    ticket.rewind(weights, masks, weights);
    run.forget();
  }

  @Override
  public double rate(Clock clock) {
    long step = clock.cycleStep() - 1;
    boolean rewound = clock.step() > clock.cycleStep();
    return Settings.schedule(rewound ? Math.max(step, earlyStep(clock)) : step, clock.cycleSteps());
  }

  @Override
  public void stepped(Run run) {
    if (run.clock().step() == earlyStep(run.clock())) {
      early = run.values().stream().map(QuantizedCopy::copy).toList();
    }
  }

  @Override
  public long bytes() {
    return early.stream().mapToLong(Tensor::bytes).sum();
  }
}
