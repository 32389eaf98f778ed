package org.fettle.nd4j;

import java.util.ArrayList;
import java.util.List;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.PlanBuilder;
import org.fettle.Rule;
import org.fettle.Step;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A Fettle plan over pairs of parameter and gradient arrays, updated where they are.
 *
 * <pre>{@code
 * try (Nd4jOptimizer optimizer = new Nd4jOptimizer(new AdamW(), parameters, gradients)) {
 *   // fill the gradients
 *   optimizer.step();
 * }
 * }</pre>
 */
public final class Nd4jOptimizer implements AutoCloseable {
  private final Plan plan;

  /** One group: a rule over all parameters. */
  public Nd4jOptimizer(Rule rule, List<INDArray> parameters, List<INDArray> gradients) {
    this(Plan.builder(), rule, parameters, gradients);
  }

  /**
   * One group in a plan with options of its own.
   *
   * @param builder a builder without groups; the group is added here
   */
  public Nd4jOptimizer(
      PlanBuilder builder, Rule rule, List<INDArray> parameters, List<INDArray> gradients) {
    if (parameters.size() != gradients.size()) {
      throw new IllegalArgumentException(
          gradients.size()
              + " gradients: expected "
              + parameters.size()
              + ", as many as parameters");
    }
    List<Parameter> group = new ArrayList<>();
    for (int i = 0; i < parameters.size(); i++) {
      String name = "parameter " + i;
      group.add(
          Parameter.of(
                  Nd4jTensors.of(name, parameters.get(i)),
                  Nd4jTensors.of(name + ".gradient", gradients.get(i)))
              .named(name));
    }
    plan = builder.group(rule, group).build();
  }

  /** One step with the rule's learning rate. */
  public void step() {
    plan.step();
  }

  /** One step with what differs in it. */
  public void step(Step step) {
    plan.step(step);
  }

  /** The plan: its states, counters and state files. */
  public Plan plan() {
    return plan;
  }

  /** Frees the states. The arrays are the caller's. */
  @Override
  public void close() {
    plan.close();
  }
}
