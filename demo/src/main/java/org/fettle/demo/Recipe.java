package org.fettle.demo;

import java.util.List;
import org.fettle.Parameter;
import org.fettle.PlanBuilder;
import org.fettle.Tensor;

/**
 * What a row does besides stepping: masks, averages, several passes per mini-batch, several
 * trainings. Every method has a default, which together are plain training.
 */
interface Recipe extends AutoCloseable {
  /** Plain training. */
  Recipe PLAIN = new Recipe() {};

  /**
   * Hangs something onto a parameter before the plan is built: a mask, an average.
   *
   * @param parameter in the row's format
   * @param place where it belongs; its view holds the initial values
   */
  default Parameter attach(Parameter parameter, Place place) {
    return parameter;
  }

  /** What the plan has to know. */
  default void configure(PlanBuilder plan, Context context) {}

  /** The parts of the training, each with a schedule of its own. */
  default List<Cycle> cycles(int epochs) {
    return List.of(Cycle.of(epochs));
  }

  /** Before the first mini-batch of a cycle. */
  default void beginCycle(Run run, int cycle) {}

  /** Behind the last mini-batch of a cycle, before its test. */
  default void endCycle(Run run, int cycle) {}

  /** Before an epoch, numbered over the whole run. */
  default void beginEpoch(Run run, int epoch) {}

  /** The factor of the learning rate. */
  default double rate(Clock clock) {
    return Settings.schedule(clock.cycleStep() - 1, clock.cycleSteps());
  }

  /** Makes an update of the current mini-batch: one gradient, one step. */
  default void batch(Run run) {
    run.gradient();
    run.update();
  }

  /** Behind a step; its time counts. */
  default void stepped(Run run) {}

  /** What is tested instead of the parameter itself, in f32; null for the parameter. */
  default Tensor tested(Parameter parameter) {
    return null;
  }

  /** Before a test, and behind it. */
  default void evaluating(Run run, boolean begins) {}

  /** Bytes kept between steps that are neither the plan's nor the parameters'. */
  default long bytes() {
    return 0;
  }

  @Override
  default void close() {}
}
