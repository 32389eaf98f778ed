package org.fettle.demo;

import org.fettle.Parameter;
import org.fettle.PlanBuilder;
import org.fettle.Tensor;

/**
 * What a row does besides stepping: masks, averages, several passes per mini-batch. Every method
 * has a default, which together are plain training.
 */
interface Recipe {
  /** Plain training. */
  Recipe PLAIN = new Recipe() {};

  /**
   * Hangs something onto a parameter before the plan is built: a mask, an average.
   *
   * @param parameter in the row's format
   * @param view what the network sees of it, in f32; holds the initial values
   */
  default Parameter attach(Parameter parameter, Tensor view) {
    return parameter;
  }

  /** What the plan has to know. */
  default void configure(PlanBuilder plan) {}

  /** Makes an update of the current mini-batch: one gradient, one step. */
  default void batch(Run run) {
    run.gradient();
    run.update();
  }

  /** What is tested instead of the parameter itself, in f32; null for the parameter. */
  default Tensor tested(Parameter parameter) {
    return null;
  }
}
