package org.fettle.internal;

import java.lang.ref.Reference;
import org.fettle.Step;
import org.fettle.Tensor;

/**
 * A plan on the native kernels. A small plan is one native call on the caller's thread; a large one
 * is one call per participant and phase.
 */
final class CpuRunner implements Runner {
  /**
   * Below this many elements a step runs inline: fanning out costs about as much as computing them.
   */
  private static final long INLINE_ELEMENTS = 64 * 1024;

  /** No participant gets less than this. */
  private static final long LEAST_PER_PARTICIPANT = 32 * 1024;

  private static final int OK = 0;
  private static final int NON_FINITE = 5;
  private static final int PHASE_GRADIENT = 0;
  private static final int PHASE_GATHER = 1;
  private static final int PHASE_APPLY = 2;

  private final int tier;
  private final PlanTable table;
  private final long address;
  private final boolean gradientPass;
  private final int gathers;
  private final Workers workers;
  private final int participants;
  private final Runnable work = this::takeRanges;
  private boolean stopped;
  private int phase;
  private int gather;

  CpuRunner(PlanSpec plan, int tier) {
    this.tier = tier;
    gradientPass = plan.needsGradientPass();
    gathers = plan.gathers();
    long elements = plan.elements();
    participants =
        elements < INLINE_ELEMENTS
            ? 1
            : (int) Math.max(1, Math.min(plan.threads(), elements / LEAST_PER_PARTICIPANT));
    workers = new Workers(participants, plan.executor());
    table = new PlanTable(plan, Math.max(1, plan.chunks() / (8L * participants)), true);
    address = table.address();
  }

  @Override
  public void stage(Step step) {
    table.step(step);
  }

  @Override
  public boolean stepStaged() {
    try {
      stopped = !(participants == 1 ? applied(Native.cpuStep(address, tier)) : spread());
      return !stopped;
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  @Override
  public boolean stopped() {
    return stopped;
  }

  private boolean spread() {
    applied(Native.cpuBegin(address, tier));
    if (gradientPass) {
      run(PHASE_GRADIENT, 0);
    }
    if (!applied(Native.cpuPrepare(address, tier))) {
      return false;
    }
    for (int k = 0; k < gathers; k++) {
      run(PHASE_GATHER, k);
      applied(Native.cpuCombine(address, tier, k));
    }
    run(PHASE_APPLY, 0);
    return applied(Native.cpuCommit(address));
  }

  private void run(int newPhase, int newGather) {
    phase = newPhase;
    gather = newGather;
    table.cursor(0);
    workers.run(participants, work);
  }

  private void takeRanges() {
    applied(Native.cpuRun(address, tier, phase, gather));
  }

  private static boolean applied(int status) {
    if (status == OK) {
      return true;
    }
    if (status == NON_FINITE) {
      return false;
    }
    throw new IllegalStateException("the step failed: " + Native.statusText(status));
  }

  @Override
  public void gradient(int tensor, Tensor gradient) {
    table.gradient(tensor, gradient);
  }

  @Override
  public long stepCount(int tensor) {
    return table.stepCount(tensor);
  }

  @Override
  public void stepCount(int tensor, long count) {
    table.stepCount(tensor, count);
  }

  @Override
  public double scalar(int tensor, int index) {
    return table.scalar(tensor, index);
  }

  @Override
  public void scalar(int tensor, int index, double value) {
    table.scalar(tensor, index, value);
  }

  @Override
  public double gradientNorm() {
    return table.gradientNorm();
  }

  @Override
  public double gradientNorm(int tensor) {
    return table.gradientNorm(tensor);
  }

  @Override
  public void close() {
    table.close();
  }
}
