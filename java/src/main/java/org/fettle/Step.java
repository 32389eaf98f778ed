package org.fettle;

import java.util.Arrays;
import java.util.Objects;

/**
 * What may differ from step to step. Make one, keep it, change it between steps: {@link
 * Plan#step(Step)} reads it and allocates nothing.
 */
public final class Step {
  // So that a wrong number does not ask for gigabytes.
  private static final int MAX_GROUPS = 1 << 16;

  private double[] lr = new double[0];
  private boolean[] skipped = new boolean[0];
  private double commonLr = Double.NaN;
  private double lossScale = 1;
  private String[] inputNames = new String[0];
  private double[] inputs = new double[0];

  /** Every group steps with its rule's learning rate; the loss is not scaled. */
  public Step() {}

  /** The learning rate of all groups. */
  public Step lr(double newLr) {
    Range.nonNegative("lr", newLr);
    commonLr = newLr;
    Arrays.fill(lr, Double.NaN);
    return this;
  }

  /** The learning rate of one group. */
  public Step lr(int group, double newLr) {
    checkGroup(group);
    Range.nonNegative("lr", newLr);
    grow(group);
    lr[group] = newLr;
    return this;
  }

  /** What the loss was multiplied by: the gradients are divided by it. */
  public Step lossScale(double newLossScale) {
    Range.positive("lossScale", newLossScale);
    lossScale = newLossScale;
    return this;
  }

  /** Whether a group is left alone: its parameters, states and step counters do not change. */
  public Step skip(int group, boolean skip) {
    checkGroup(group);
    grow(group);
    skipped[group] = skip;
    return this;
  }

  /**
   * A number that rules ask for ({@link Rule#inputs}); it reaches all rules with an input of that
   * name.
   */
  public Step input(String name, double value) {
    Objects.requireNonNull(name, "name");
    Range.finite(name, value);
    int index = inputIndex(name);
    if (index < 0) {
      index = inputs.length;
      inputNames = Arrays.copyOf(inputNames, index + 1);
      inputs = Arrays.copyOf(inputs, index + 1);
      inputNames[index] = name;
    }
    inputs[index] = value;
    return this;
  }

  /** The number of that name, or NaN if there is none. */
  public double input(String name) {
    int index = inputIndex(name);
    return index < 0 ? Double.NaN : inputs[index];
  }

  private int inputIndex(String name) {
    for (int i = 0; i < inputNames.length; i++) {
      if (inputNames[i].equals(name)) {
        return i;
      }
    }
    return -1;
  }

  /** What the loss was multiplied by. */
  public double lossScale() {
    return lossScale;
  }

  /** A group's learning rate, given the one of its rule. */
  public double lrOf(int group, double ruleLr) {
    checkGroup(group);
    if (group < lr.length && !Double.isNaN(lr[group])) {
      return lr[group];
    }
    return Double.isNaN(commonLr) ? ruleLr : commonLr;
  }

  /** Whether a group is left alone. */
  public boolean skips(int group) {
    checkGroup(group);
    return group < skipped.length && skipped[group];
  }

  /** One more than the highest group that was named. */
  public int groups() {
    return lr.length;
  }

  private static void checkGroup(int group) {
    Range.check("group", group, group >= 0 && group < MAX_GROUPS, "0 to " + (MAX_GROUPS - 1));
  }

  private void grow(int group) {
    if (group >= lr.length) {
      int old = lr.length;
      lr = Arrays.copyOf(lr, group + 1);
      Arrays.fill(lr, old, lr.length, Double.NaN);
      skipped = Arrays.copyOf(skipped, group + 1);
    }
  }
}
