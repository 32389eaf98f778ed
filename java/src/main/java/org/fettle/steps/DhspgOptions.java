package org.fettle.steps;

import org.fettle.Range;

/**
 * The hyperparameters of {@link Dhspg}.
 *
 * @param variant the direction
 * @param lr learning rate, finite and at least 0
 * @param momentum of SGD, in [0, 1)
 * @param beta1 of Adam, in [0, 1)
 * @param beta2 of Adam, in [0, 1)
 * @param eps of Adam, outside the corrected root, at least 0
 * @param weightDecay at least 0; decoupled for ADAMW
 * @param lambda the penalty's coefficient, at least 0
 * @param lambdaAmplify how much more than needed a penalty may be, at least 0
 * @param lambdaHatFactor the largest penalty in lambdas, at least 1
 * @param epsilon of the half-space, in [0, 1]
 * @param startPruningSteps steps before the penalised groups are chosen, at least 0
 * @param targetGroupSparsity the share of groups that becomes zero, in [0, 1]
 * @param tolerance how much more are penalised, at least 0
 * @param groupDivisible what divides the number of groups that a layer keeps, at least 1
 */
public record DhspgOptions(
    Variant variant,
    double lr,
    double momentum,
    double beta1,
    double beta2,
    double eps,
    double weightDecay,
    double lambda,
    double lambdaAmplify,
    double lambdaHatFactor,
    double epsilon,
    int startPruningSteps,
    double targetGroupSparsity,
    double tolerance,
    int groupDivisible) {
  /** Where a step goes before it is penalised. */
  public enum Variant {
    /** The gradient, or its momentum. */
    SGD,
    /** Adam's direction, decay in the gradient. */
    ADAM,
    /** Adam's direction, decay apart. */
    ADAMW
  }

  /** Checks the numbers. */
  public DhspgOptions {
    Range.nonNegative("lr", lr);
    Range.fraction("momentum", momentum);
    Range.fraction("beta1", beta1);
    Range.fraction("beta2", beta2);
    Range.nonNegative("eps", eps);
    Range.nonNegative("weightDecay", weightDecay);
    Range.nonNegative("lambda", lambda);
    Range.nonNegative("lambdaAmplify", lambdaAmplify);
    Range.check("lambdaHatFactor", lambdaHatFactor, lambdaHatFactor >= 1, ">= 1");
    Range.check("epsilon", epsilon, epsilon >= 0 && epsilon <= 1, "in [0, 1]");
    Range.check("startPruningSteps", startPruningSteps, startPruningSteps >= 0, ">= 0");
    Range.check(
        "targetGroupSparsity",
        targetGroupSparsity,
        targetGroupSparsity >= 0 && targetGroupSparsity <= 1,
        "in [0, 1]");
    Range.nonNegative("tolerance", tolerance);
    Range.check("groupDivisible", groupDivisible, groupDivisible >= 1, ">= 1");
  }

  /** The defaults of a direction: no momentum, Adam's usual betas, no decay, half-space at 0. */
  public static DhspgOptions of(
      Variant variant, double lr, int startPruningSteps, double targetGroupSparsity) {
    boolean sgd = variant == Variant.SGD;
    return new DhspgOptions(
        variant,
        lr,
        0,
        0.9,
        0.999,
        1e-8,
        0,
        sgd ? 1e-3 : 1e-2,
        sgd ? 2 : 20,
        sgd ? 10 : 1e3,
        0,
        startPruningSteps,
        targetGroupSparsity,
        0.05,
        1);
  }

  /**
   * These, with another penalty.
   *
   * @param newLambda the coefficient, at least 0
   * @param newAmplify how much more than needed a penalty may be, at least 0
   * @param newHatFactor the largest penalty in lambdas, at least 1
   */
  public DhspgOptions withPenalty(double newLambda, double newAmplify, double newHatFactor) {
    return new DhspgOptions(
        variant,
        lr,
        momentum,
        beta1,
        beta2,
        eps,
        weightDecay,
        newLambda,
        newAmplify,
        newHatFactor,
        epsilon,
        startPruningSteps,
        targetGroupSparsity,
        tolerance,
        groupDivisible);
  }

  /** These, with another weight decay. */
  public DhspgOptions withWeightDecay(double newWeightDecay) {
    return new DhspgOptions(
        variant,
        lr,
        momentum,
        beta1,
        beta2,
        eps,
        newWeightDecay,
        lambda,
        lambdaAmplify,
        lambdaHatFactor,
        epsilon,
        startPruningSteps,
        targetGroupSparsity,
        tolerance,
        groupDivisible);
  }

  boolean adam() {
    return variant != Variant.SGD;
  }

  boolean decoupled() {
    return variant == Variant.ADAMW;
  }
}
