package org.fettle.demo;

import org.fettle.steps.ScheduleFree;

/** No schedule: the network is trained at y and tested at the average x. */
final class ScheduleFreeModes implements Recipe {
  private ScheduleFree modes;

  @Override
  public void beginCycle(Run run, int cycle) {
    modes = new ScheduleFree(run.plan());
  }

  @Override
  public double rate(Clock clock) {
    return 1;
  }

  @Override
  public void evaluating(Run run, boolean begins) {
    if (begins) {
      modes.evaluate();
    } else if (run.clock().step() < run.clock().steps()) {
      // What is left at the end is x.
      modes.train();
    }
  }

  @Override
  public void close() {
    if (modes != null) {
      modes.close();
    }
  }
}
