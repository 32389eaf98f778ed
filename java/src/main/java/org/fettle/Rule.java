package org.fettle;

import java.util.List;

/**
 * An optimizer's arithmetic: an immutable record of validated hyperparameters that says which
 * states it keeps and, in the Java reference below, what a step does to one tile of a tensor.
 *
 * <p>The reference is the specification of the native kernels, which give the same bits: every
 * operation is one of {@code + - * /}, square root, fma and comparisons, on floats, in the order
 * written; coefficients are formed in double and rounded once. The same rule stands as a C++ header
 * in {@code native/src/rules}, compiled for every CPU tier and CUDA.
 */
public interface Rule {
  /**
   * The kernel's name in the registry ({@code native/include/fettle/rules.def}); may depend on
   * hyperparameters.
   */
  String id();

  /** The learning rate of steps that are not given another. */
  double lr();

  /** The names of the states, each a tensor of the parameter's shape. */
  List<String> states();

  /**
   * Whether a state never holds a negative value, as second moments: low-bit formats then need no
   * sign.
   */
  default boolean isNonNegative(int index) {
    return false;
  }

  /** The value that a state starts with. */
  default float initialState(int index) {
    return 0f;
  }

  /**
   * The standard deviation of the normal draws that a state starts with, around {@link
   * #initialState}; 0 for none. The draws follow the plan's seed.
   */
  default double initialDeviation(int index) {
    return 0;
  }

  /** The names of the double scalars that the rule keeps per tensor. */
  default List<String> scalars() {
    return List.of();
  }

  /** The value that a scalar starts with. */
  default double initialScalar(int index) {
    return 0;
  }

  /**
   * The names of the numbers that every step must be given with {@link Step#input}, such as a loss
   * or a random scale.
   */
  default List<String> inputs() {
    return List.of();
  }

  /**
   * The hyperparameters in the order of the C++ header's enum; the first is the learning rate. A
   * switch is 1 or 0. The {@link #inputs} stand last, as 0: every step puts its own there.
   */
  double[] hyper();

  /** Whether the coefficients need the global norm of the gradients. */
  default boolean needsGradientNorm() {
    return false;
  }

  /** Reductions that must be complete before the update. */
  default int gathers() {
    return 0;
  }

  /** Sums that each gather forms. */
  default int sums() {
    return 0;
  }

  /**
   * Whether a gather takes the largest {@code a[j][i]} of the tensor in place of a sum of products.
   */
  default boolean maximum() {
    return false;
  }

  /** Whether sums are formed per row of the first axis too, for {@link #row}. */
  default boolean rowwise() {
    return false;
  }

  /**
   * Whether every element of a vector is a row of its own; a rule that leaves vectors unprojected
   * takes them as one row instead, which costs no sums per element.
   */
  default boolean splitsVectors() {
    return true;
  }

  /** The name of the double that the rule keeps per row, or null. */
  default String rowState() {
    return null;
  }

  /** The value that {@link #rowState} starts with. */
  default double initialRowState() {
    return 0;
  }

  /** Forms the coefficients of a step, in double, and rounds each once. */
  void coefficients(StepContext step, float[] c);

  /**
   * Forms the terms of gather {@code k}: sum j of the tensor is the sum over its elements of {@code
   * a[j][i] * b[j][i]}, in double. Must not write {@code p}, {@code g} or {@code state}.
   */
  default void gather(
      int k, float[] c, int n, float[] p, float[] g, float[][] state, float[][] a, float[][] b) {}

  /** Lets the coefficients follow from the sums of gather {@code k}. */
  default void combine(int k, StepContext step, double[] sums, float[] c) {}

  /**
   * How much a row speaks for a branch that all rows of a tensor take together; {@link #combine}
   * sees the largest.
   */
  default double score(StepContext step, double[] sums) {
    return 0;
  }

  /**
   * Forms the coefficients of one row, behind {@link #combine}.
   *
   * @param sums the row's sums
   * @param state the double that the rule keeps for this row, to be read and replaced; of length 0
   *     if it keeps none
   * @param row at most two coefficients of the row
   */
  default void row(
      int k, StepContext step, float[] c, double[] sums, double[] state, float[] row) {}

  /** Puts a row's coefficients among the tensor's, before the row's tiles are updated. */
  default void enter(float[] row, float[] c) {}

  /**
   * Updates one tile.
   *
   * @param c the coefficients
   * @param n elements of the tile
   * @param p the parameters, replaced
   * @param g the gradients, unscaled and clipped; may be overwritten
   * @param state the states, replaced
   */
  void update(float[] c, int n, float[] p, float[] g, float[][] state);

  /** What a step tells a rule before it forms its coefficients. */
  interface StepContext {
    /** This step's learning rate. */
    double lr();

    /** The step counter t, 1 in a tensor's first step. */
    long step();

    /**
     * The global norm of the gradients as the rule sees them; 0 unless {@link
     * Rule#needsGradientNorm}.
     */
    double gradientNorm();

    /** Elements of the tensor. */
    long elements();

    /** Rows of the reductions: 1 unless the rule reduces by rows. */
    long rows();

    /** Elements of a row. */
    long rowLength();

    /** Axes of the tensor. */
    int rank();

    /** In {@link Rule#combine}, the largest {@link Rule#score} of a row. */
    double largestScore();

    /** One of the rule's inputs. */
    double input(int index);

    /** A scalar of this tensor. */
    double scalar(int index);

    /** Replaces a scalar of this tensor; it counts once the step is complete. */
    void scalar(int index, double value);
  }
}
