package org.fettle.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.training.optimizer.Optimizer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Step;

/**
 * A Fettle rule as a DJL {@link Optimizer}: {@code new DefaultTrainingConfig(loss).optOptimizer(new
 * DjlOptimizer(new AdamW()))}. DJL updates one parameter at a time, so every parameter has a plan
 * of its own, made when it is first updated.
 *
 * <p>DJL's weight decay, gradient clipping and rescaling belong to its own optimizers; a rule has
 * decay itself. A parameter whose array is replaced by another one is refused, because its states
 * would belong to memory that is gone.
 */
public final class DjlOptimizer extends Optimizer implements AutoCloseable {
  private final Rule rule;
  private final Step step = new Step();
  private final Map<String, Plan> plans = new LinkedHashMap<>();

  /** A rule over every parameter that DJL hands over. */
  public DjlOptimizer(Rule rule) {
    super(new Options());
    this.rule = Objects.requireNonNull(rule, "rule");
  }

  /** The learning rate of the following updates; the rule's until this is called. */
  public synchronized void setLearningRate(double rate) {
    step.lr(rate);
  }

  @Override
  public synchronized void update(String parameterId, NDArray weight, NDArray gradient) {
    org.fettle.Tensor value = DjlTensors.of(parameterId, weight);
    org.fettle.Tensor slope = DjlTensors.of(parameterId + ".gradient", gradient);
    Plan plan =
        plans.computeIfAbsent(
            parameterId,
            id -> Plan.builder().group(rule, Parameter.of(value, slope).named(id)).build());
    org.fettle.Tensor first = plan.parameter(0).value();
    if (first.address() != value.address()
        || first.dtype() != value.dtype()
        || !Arrays.equals(first.shape(), value.shape())) {
      throw new IllegalArgumentException(
          parameterId + " has moved to another array: expected the one of its first update");
    }
    try {
      plan.setGradient(0, slope);
      plan.step(step);
    } finally {
      // DJL may free it.
      plan.setGradient(0, null);
    }
  }

  /**
   * The plan of a parameter: its states, counters and state files; null before its first update.
   */
  public synchronized Plan plan(String parameterId) {
    return plans.get(parameterId);
  }

  /** Frees the states. The arrays are DJL's. */
  @Override
  public synchronized void close() {
    plans.values().forEach(Plan::close);
    plans.clear();
  }

  private static final class Options extends OptimizerBuilder<Options> {
    @Override
    protected Options self() {
      return this;
    }
  }
}
