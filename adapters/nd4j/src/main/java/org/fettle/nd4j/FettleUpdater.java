package org.fettle.nd4j;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.fettle.Parameter;
import org.fettle.Plan;
import org.fettle.Rule;
import org.fettle.Step;
import org.nd4j.linalg.api.buffer.DataType;
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
  /** The name of the state in {@link #getState}. */
  public static final String STATE = "fettle";

  private final Rule rule;
  private final IUpdater config;
  private INDArray gradient;
  private INDArray parameter;
  private Plan plan;
  private byte[] waiting;

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
      try {
        if (waiting != null) {
          load(waiting);
          waiting = null;
        }
      } catch (RuntimeException e) {
        // The next gradient meets the same state again, and not a plan without one.
        plan.close();
        plan = null;
        throw e;
      }
      gradient = gradientView;
    } else if (gradient != gradientView) {
      plan.setGradient(0, Nd4jTensors.flat("gradient", gradientView));
      gradient = gradientView;
    }
    if (parameter.rank() != gradientView.rank()) {
      parameter = parameter.reshape(gradientView.ordering(), gradientView.shape());
    }
  }

  /**
   * Everything that the plan keeps between steps, as {@link Plan#save} writes it: the bytes of a
   * state file, under the name {@link #STATE}.
   *
   * @return nothing before the first call of {@link #applyUpdater}
   * @throws UncheckedIOException if no temporary file can be written
   */
  @Override
  public Map<String, INDArray> getState() {
    if (plan == null) {
      return Map.of();
    }
    return Map.of(STATE, Nd4j.createFromArray(throughFile(file -> plan.save(file), null)));
  }

  /**
   * Takes what {@link #getState} gave, now or with the first gradient.
   *
   * @param initialize ignored: nothing has to be there first
   * @throws IllegalArgumentException if there is no {@link #STATE}, or it belongs to another rule
   *     or another number of parameters; nothing was changed. A state that waits for the first
   *     gradient is looked at then
   */
  @Override
  public void setState(Map<String, INDArray> state, boolean initialize) {
    INDArray bytes = state.get(STATE);
    if (bytes == null || bytes.dataType() != DataType.INT8) {
      throw new IllegalArgumentException(
          "state holds " + state.keySet() + ": expected the bytes of a state file as " + STATE);
    }
    byte[] file = bytes.dup().data().asBytes();
    if (plan == null) {
      waiting = file;
    } else {
      load(file);
    }
  }

  private void load(byte[] state) {
    throughFile(
        file -> {
          plan.load(file);
        },
        state);
  }

  private interface FileAction {
    void on(Path file) throws IOException;
  }

  /** What a temporary file holds after an action on it, which finds these bytes in it. */
  private static byte[] throughFile(FileAction action, byte[] before) {
    try {
      Path file = Files.createTempFile("fettle-state", ".safetensors");
      try {
        if (before != null) {
          Files.write(file, before);
        }
        action.on(file);
        return Files.readAllBytes(file);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * States live in the plan, so there is nothing for a view.
   *
   * @param viewArray null or empty
   * @throws IllegalArgumentException if it has elements
   */
  @Override
  public void setStateViewArray(
      INDArray viewArray, long[] gradientShape, char gradientOrder, boolean initialize) {
    if (viewArray != null && viewArray.length() > 0) {
      throw new IllegalArgumentException(
          "viewArray has "
              + viewArray.length()
              + " elements: expected none, for states are the plan's");
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
