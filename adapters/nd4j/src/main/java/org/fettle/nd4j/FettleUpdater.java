package org.fettle.nd4j;

import java.util.Map;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Step;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.GradientUpdater;
import org.nd4j.linalg.learning.config.IUpdater;

/**
 * A rule as ND4J's gradient updater: turns a gradient into what is subtracted from the parameter,
 * in place.
 *
 * <p>The interface does not show the parameter, so rules see a parameter of zeros: for rules that
 * look at it (weight decay, trust ratios) use {@link Nd4jOptimizer}. States are the {@link #plan}'s
 * and not ND4J's. Costs one array and two passes more than {@link Nd4jOptimizer}.
 */
public final class FettleUpdater implements GradientUpdater<IUpdater>, AutoCloseable {
  private final Rule rule;
  private final IUpdater config;
  private INDArray gradient;
  private INDArray parameter;
  private Plan plan;

  /**
   * An updater.
   *
   * @param rule what to do
   * @param config ND4J's configuration, whose learning rate of each iteration is used; null for the
   *     rule's
   */
  public FettleUpdater(Rule rule, IUpdater config) {
    this.rule = rule;
    this.config = config;
  }

  @Override
  public IUpdater getConfig() {
    return config;
  }

  @Override
  public void applyUpdater(INDArray gradientView, int iteration, int epoch) {
    bind(gradientView);
    parameter.assign(0);
    Step step = new Step();
    if (config != null) {
      step.lr(config.getLearningRate(iteration, epoch));
    }
    plan.step(step);
    gradientView.assign(parameter.neg());
  }

  private void bind(INDArray gradientView) {
    if (plan == null) {
      parameter = Nd4j.zeros(gradientView.dataType(), gradientView.length());
      plan =
          Plan.builder()
              .group(
                  rule,
                  Parameter.of(
                      Nd4jTensors.flat("parameter", parameter),
                      Nd4jTensors.flat("gradient", gradientView)))
              .build();
      gradient = gradientView;
    } else if (gradient != gradientView) {
      plan.setGradient(0, Nd4jTensors.flat("gradient", gradientView));
      gradient = gradientView;
    }
    if (parameter.rank() != gradientView.rank()) {
      parameter = parameter.reshape(gradientView.ordering(), gradientView.shape());
    }
  }

  @Override
  public Map<String, INDArray> getState() {
    throw new UnsupportedOperationException(
        "the states are the plan's: use plan().state, plan().save and plan().load");
  }

  @Override
  public void setState(Map<String, INDArray> state, boolean initialize) {
    throw new UnsupportedOperationException(
        "the states are the plan's: use plan().state, plan().save and plan().load");
  }

  @Override
  public void setStateViewArray(
      INDArray viewArray, long[] gradientShape, char gradientOrder, boolean initialize) {
    if (viewArray != null && viewArray.length() > 0) {
      throw new UnsupportedOperationException(
          "the states are the plan's: expected no view array, which has " + viewArray.length());
    }
  }

  /** The plan behind it; null before the first call of {@link #applyUpdater}. */
  public Plan plan() {
    return plan;
  }

  /** Frees the states. */
  @Override
  public void close() {
    if (plan != null) {
      plan.close();
    }
  }
}
