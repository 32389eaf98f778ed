package org.fettle.steps;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Step;
import org.fettle.internal.Batch;
import org.fettle.internal.BatchRunner;
import org.fettle.internal.Primitive;
import org.fettle.rules.ScheduleFreeAdamW;
import org.fettle.rules.ScheduleFreeRAdam;
import org.fettle.rules.ScheduleFreeSgd;

/**
 * A plan of Schedule-Free rules with its two modes: in training the parameters are y, where
 * gradients are taken; for evaluation they are x, the average.
 *
 * <pre>
 * evaluate: p = p + (1 - 1 / beta) * (z - p)      train: p = p + (1 - beta) * (z - p)
 * </pre>
 *
 * <p>Before a tensor's first step the switch leaves it alone. Checkpoints are best written in
 * evaluation, together with the plan's state file. A small beta amplifies the rounding of x.
 */
public final class ScheduleFree extends StepObject {
  private final Plan plan;
  private final List<BatchRunner> moves = new ArrayList<>();
  private final double[] betas;
  private boolean evaluating;

  /**
   * The modes of a plan, which stays the caller's and must be open while this is used.
   *
   * @throws IllegalArgumentException if a rule is none of the Schedule-Free ones
   */
  public ScheduleFree(Plan plan) {
    super(plan.backend());
    this.plan = plan;
    betas = new double[plan.tensors()];
    for (int i = 0; i < betas.length; i++) {
      betas[i] = beta(i, plan.rule(i));
    }
    for (int i = 0; i < betas.length; i++) {
      Parameter parameter = plan.parameter(i);
      moves.add(
          open(
              List.of(
                  Batch.Item.of(
                      Primitive.MOVE_TOWARDS,
                      parameter.value(),
                      plan.state(i, "z"),
                      parameter.value()))));
    }
  }

  private static double beta(int tensor, Rule rule) {
    if (rule instanceof ScheduleFreeSgd sgd) {
      return sgd.momentum();
    }
    if (rule instanceof ScheduleFreeAdamW adam) {
      return adam.beta1();
    }
    if (rule instanceof ScheduleFreeRAdam radam) {
      return radam.beta1();
    }
    throw new IllegalArgumentException(
        "rule " + rule.id() + " of tensor " + tensor + ": expected a Schedule-Free one");
  }

  /**
   * A step of the plan.
   *
   * @throws IllegalStateException in evaluation
   */
  public void step(Step step) {
    enter();
    try {
      if (evaluating) {
        throw new IllegalStateException("the parameters are x: expected train() before a step");
      }
      plan.step(step);
    } finally {
      leave();
    }
  }

  /** The parameters become x, the average; does nothing in evaluation. */
  public void evaluate() {
    change(true);
  }

  /** The parameters become y, where gradients are taken; does nothing in training. */
  public void train() {
    change(false);
  }

  private void change(boolean evaluate) {
    enter();
    try {
      if (evaluating == evaluate) {
        return;
      }
      for (int i = 0; i < betas.length; i++) {
        if (plan.stepCount(i) > 0) {
          moves.get(i).factor(0, 0, evaluate ? 1.0 - 1.0 / betas[i] : 1.0 - betas[i]);
          moves.get(i).run();
        }
      }
      evaluating = evaluate;
    } finally {
      leave();
    }
  }

  /** Whether the parameters are x. */
  public boolean isEvaluating() {
    return evaluating;
  }
}
