package org.fettle.demo;

import java.util.ArrayList;
import java.util.List;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;

/** What updates the parameters of a run: a plan, and a row's mover for what is not the plan's. */
final class Updater implements AutoCloseable {
  /** Learned scales are small and few: they move more slowly than weights. */
  private static final double SCALE_RATE = 0.02;

  private final Step step = new Step();
  private final List<Double> rates = new ArrayList<>();
  private final Plan plan;
  private final Mover mover;

  Updater(Row row, Recipe recipe, Context context, List<Slot> slots) {
    PlanBuilder builder =
        Plan.builder()
            .clip(GradientClip.byGlobalNorm(Settings.MAX_NORM))
            .backend(context.backend())
            .threads(context.threads())
            .seed(context.seed());
    List<Slot> planned = slots.stream().filter(slot -> !slot.moved()).toList();
    group(builder, row.weightRule(), 1, parameters(planned, true));
    group(builder, row.biasRule(), 1, parameters(planned, false));
    group(
        builder,
        row.biasRule(),
        SCALE_RATE,
        planned.stream().flatMap(slot -> slot.stored().scales().stream()).toList());
    row.format().configure(builder);
    recipe.configure(builder, context);
    plan = builder.build();
    List<Place> moved = slots.stream().filter(Slot::moved).map(Slot::place).toList();
    mover = moved.isEmpty() ? null : row.mover().open().apply(context, moved);
  }

  private void group(PlanBuilder builder, Rule rule, double rate, List<Parameter> parameters) {
    if (!parameters.isEmpty()) {
      builder.group(rule, parameters);
      rates.add(rate * rule.lr());
    }
  }

  private static List<Parameter> parameters(List<Slot> slots, boolean weights) {
    return slots.stream()
        .filter(slot -> slot.place().isWeight() == weights)
        .map(Slot::parameter)
        .toList();
  }

  /** One step, by the gradients that are there. */
  void step(double factor) {
    for (int group = 0; group < rates.size(); group++) {
      step.lr(group, rates.get(group) * factor);
    }
    if (!rates.isEmpty()) {
      plan.step(step);
    }
    if (mover != null) {
      mover.step(factor);
    }
  }

  Plan plan() {
    return plan;
  }

  /** What moves the parameters that are not the plan's; null if all are. */
  Mover mover() {
    return mover;
  }

  long stateBytes() {
    return plan.stateBytes() + (mover == null ? 0 : mover.stateBytes());
  }

  @Override
  public void close() {
    plan.close();
    if (mover != null) {
      mover.close();
    }
  }
}
