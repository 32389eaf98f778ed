package org.fettle.benchmarks;

import org.fettle.Backend;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Step;

/** Fettle's step, as a user calls it: {@link Plan#step(Step)}. */
final class Ours implements Contestant {
  private final Plan plan;
  private final Step step = new Step();

  Ours(Workload workload, Arrays arrays, Backend backend, int threads) {
    PlanBuilder builder =
        Plan.builder()
            .backend(backend)
            .threads(threads)
            .group(workload.rule(), arrays.parameters());
    workload.configure(builder);
    plan = builder.build();
    // What the rule wants to be told in every step.
    workload.rule().inputs().forEach(name -> step.input(name, 1));
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
    plan.step(step);
  }

  @Override
  public void close() {
    plan.close();
  }
}
