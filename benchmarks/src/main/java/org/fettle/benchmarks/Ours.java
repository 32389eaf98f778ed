package org.fettle.benchmarks;

import org.fettle.Backend;
import org.fettle.Plan;
import org.fettle.PlanBuilder;

/** Fettle's step, as a user calls it: {@link Plan#step()}. */
final class Ours implements Contestant {
  private final Plan plan;

  Ours(Workload workload, Arrays arrays, Backend backend, int threads) {
    PlanBuilder builder =
        Plan.builder()
            .backend(backend)
            .threads(threads)
            .group(workload.rule(), arrays.parameters());
    workload.configure(builder);
    plan = builder.build();
  }

  Plan plan() {
    return plan;
  }

  @Override
  public String name() {
    return plan.backend().name();
  }

  @Override
  public void step() {
    plan.step();
  }

  @Override
  public void close() {
    plan.close();
  }
}
