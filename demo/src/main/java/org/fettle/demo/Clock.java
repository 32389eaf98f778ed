package org.fettle.demo;

/** Where the training is: mini-batches of the whole run and of its current cycle. */
final class Clock {
  private final long steps;
  private long cycleSteps;
  private long step;
  private long cycleStep;

  /** A run of that many mini-batches. */
  Clock(long steps) {
    this.steps = steps;
    cycleSteps = steps;
  }

  void startCycle(long length) {
    cycleSteps = length;
    cycleStep = 0;
  }

  void tick() {
    step++;
    cycleStep++;
  }

  /** Mini-batches done, the current one included. */
  long step() {
    return step;
  }

  /** Mini-batches of the whole run. */
  long steps() {
    return steps;
  }

  /** Mini-batches of the current cycle that are done, the current one included. */
  long cycleStep() {
    return cycleStep;
  }

  /** Mini-batches of the current cycle. */
  long cycleSteps() {
    return cycleSteps;
  }

  /** The share of the run that is done. */
  double progress() {
    return (double) step / steps;
  }
}
