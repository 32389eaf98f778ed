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

  /** Hangs something onto a weight matrix before the plan is built: a mask, an average. */
  default Parameter attach(Parameter weight) {
    return weight;
  }

  /** What the plan has to know. */
  default void configure(PlanBuilder plan) {}

  /** Makes an update of the current mini-batch: one gradient, one step. */
  default void batch(Run run) {
    run.gradient();
    run.update();
  }

  /** What is tested instead of the weights themselves, in f32; null for them. */
  default Tensor tested(Parameter weight) {
    return null;
  }
}
