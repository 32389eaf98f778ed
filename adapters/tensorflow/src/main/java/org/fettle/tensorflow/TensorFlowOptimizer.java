package org.fettle.tensorflow;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;
import org.tensorflow.Tensor;

/**
 * A Fettle plan in the shape of a TensorFlow optimizer: {@link #applyGradients} with what a session
 * fetched, to tensors that are fed to it.
 *
 * <pre>{@code
 * try (TensorFlowOptimizer optimizer = new TensorFlowOptimizer(new AdamW(), List.of(weight))) {
 *   try (var result = session.runner().feed(w, weight).fetch(gradients.dy(0)).run()) {
 *     optimizer.applyGradients(List.of(result.get(0)));
 *   }
 * }
 * }</pre>
 *
 * <p>As a plan, one thread at a time.
 */
public final class TensorFlowOptimizer implements AutoCloseable {
  private final Plan plan;

  /** One group: a rule over all parameters. */
  public TensorFlowOptimizer(Rule rule, List<? extends Tensor> parameters) {
    this(Plan.builder(), rule, parameters);
  }

  /**
   * One group in a plan with options of its own: clipping, formats, threads, backend.
   *
   * @param builder a builder without groups; the group is added here
   */
  public TensorFlowOptimizer(PlanBuilder builder, Rule rule, List<? extends Tensor> parameters) {
    List<Parameter> group = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      String name = "parameter " + i;
      group.add(Parameter.of(TensorFlowTensors.of(name, parameters.get(i)), null).named(name));
    }
    plan = builder.group(rule, group).build();
  }

  /** One step with the rule's learning rate. */
  public void applyGradients(List<? extends Tensor> gradients) {
    applyGradients(gradients, new Step());
  }

  /**
   * One step with what differs in it. The gradients are read in this call only, and may be closed
   * after it.
   *
   * @param gradients one per parameter; null where a parameter has none, which leaves it alone
   */
  public void applyGradients(List<? extends Tensor> gradients, Step step) {
    if (gradients.size() != plan.tensors()) {
      throw new IllegalArgumentException(
          gradients.size() + " gradients: expected " + plan.tensors() + ", one per parameter");
    }
    List<org.fettle.Tensor> views = new ArrayList<>();
    for (int i = 0; i < gradients.size(); i++) {
      views.add(
          gradients.get(i) == null
              ? null
              : TensorFlowTensors.of("parameter " + i + ".gradient", gradients.get(i)));
    }
    try {
      for (int i = 0; i < views.size(); i++) {
        plan.setGradient(i, views.get(i));
      }
      plan.step(step);
    } finally {
      for (int i = 0; i < views.size(); i++) {
        plan.setGradient(i, null);
      }
    }
  }

  /** The plan: its states, counters and state files. */
  public Plan plan() {
    return plan;
  }

  /** Frees the states. The parameters are the caller's. */
  @Override
  public void close() {
    plan.close();
  }
}
