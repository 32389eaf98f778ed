package org.fettle.samebits;

import java.util.List;
import org.fettle.Average;
import org.fettle.DType;
import org.fettle.GradientClip;
import org.fettle.MaskedStates;
import org.fettle.NonFinite;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.testkit.Inputs;
import org.fettle.testkit.RuleVariants;

/**
 * One configuration of the same-bits suite: a choice for each factor.
 *
 * @param rule the rule of the first group
 * @param otherRule the rule of the second group, where there is one
 * @param copy the copy's format, or null for none
 * @param average the average's format, or null for none
 * @param size elements of the first tensor
 * @param misalignment of the first tensor, in bytes; rounded down to its element
 * @param filledStates whether states start with values instead of their initial ones
 * @param seed of the inputs
 */
record SameBitsCase(
    Rule rule,
    Rule otherRule,
    DType parameter,
    DType gradient,
    DType state,
    Rounding parameterRounding,
    Rounding copyRounding,
    Rounding stateRounding,
    DType copy,
    DType average,
    Average averaging,
    Masking masking,
    MaskedStates maskedStates,
    GradientClip clip,
    NonFinite nonFinite,
    double lossScale,
    Shape shape,
    Axes axes,
    int size,
    int misalignment,
    int threads,
    Spread spread,
    Inputs.Kind parameters,
    Inputs.Kind gradients,
    Rates rates,
    boolean buffers,
    boolean filledStates,
    long seed) {
  /** What masks hold. */
  enum Masking {
    NONE,
    RANDOM,
    TWO_OF_FOUR
  }

  /** What the plan is made of. */
  enum Shape {
    /** One tensor. */
    SINGLE,
    /** An empty tensor, the one of the given size, many small ones. */
    SEVERAL,
    /** Two groups with two rules. */
    GROUPS,
    /** Two groups, one of which has no gradient at first. */
    NO_GRADIENT,
    /** Two groups, one of which is skipped in one step. */
    SKIPPED,
    /** One tensor whose gradient moves, and is missing once. */
    MOVING
  }

  /** The extents of the first tensor: some rules reduce by rows of the first axis. */
  enum Axes {
    /** One axis. */
    VECTOR,
    /** Three rows of the given size. */
    WIDE,
    /** Rows of five elements, so that most start off any alignment. */
    TALL,
    /** Four axes. */
    DEEP;

    /** Extents of about {@code size} elements, or of some more where that is small. */
    List<Long> of(int size) {
      long few = size > 4097 ? size / 3 : size;
      return switch (this) {
        case VECTOR -> List.of((long) size);
        case WIDE -> List.of(3L, few);
        case TALL -> List.of((size + 4L) / 5, 5L);
        case DEEP -> List.of(2L, (size + 11L) / 12, 2L, 3L);
      };
    }
  }

  /** Where the helpers of a step come from. */
  enum Spread {
    COMMON_POOL,
    EXECUTOR,
    OWN_FORK_JOIN
  }

  /** How learning rates run. */
  enum Rates {
    OF_THE_RULE,
    FALLING,
    PER_GROUP,
    ZERO_ONCE
  }

  static final int[] SIZES = {
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    15,
    16,
    17,
    31,
    32,
    33,
    63,
    64,
    65,
    255,
    256,
    257,
    4095,
    4096,
    4097,
    278011,
    (1 << 20) + 1
  };
  static final int MISALIGNMENTS = 64;

  /** The variants of every id, in the registry's order. */
  private static final List<List<Rule>> RULES =
      Rules.ids().stream()
          .map(id -> RuleVariants.all().stream().filter(rule -> rule.id().equals(id)).toList())
          .toList();

  private static final DType[] FORMATS = {DType.F32, DType.BF16, DType.F16};
  private static final DType[] FORMATS_OR_NONE = {null, DType.F32, DType.BF16, DType.F16};
  private static final Average[] AVERAGES = {
    new Average(0.9),
    new Average(0.999).withWarmup(Average.Warmup.CONSTANT, 2, 0.5),
    new Average(0.99).withWarmup(Average.Warmup.LINEAR, 3, 0.25),
    new Average(0.75).withInterval(2),
    new Average(0.5).withWarmup(Average.Warmup.LINEAR, 0, 0).withInterval(3),
    Average.lookahead(0.8, 2),
    Average.power(0.1),
    Average.uniform(1, 2)
  };
  private static final GradientClip[] CLIPS = {
    GradientClip.NONE,
    GradientClip.byValue(0.01),
    GradientClip.byTensorNorm(0.5),
    GradientClip.byGlobalNorm(0.5),
    GradientClip.byTensorNorm(1e30).withValue(2),
    GradientClip.byGlobalNorm(1e-3).withValue(0.1)
  };
  private static final double[] LOSS_SCALES = {1, 65536, 3.7, 1e-3};
  private static final int[] THREADS = {1, 2, 3, 7};

  /** The number of choices of each factor, in the order in which {@link #of} reads them. */
  static int[] levels() {
    return new int[] {
      RULES.size(),
      RULES.stream().mapToInt(List::size).max().orElseThrow(),
      FORMATS.length,
      FORMATS.length,
      FORMATS.length,
      2,
      2,
      2,
      FORMATS_OR_NONE.length,
      FORMATS_OR_NONE.length,
      AVERAGES.length,
      Masking.values().length,
      MaskedStates.values().length,
      CLIPS.length,
      NonFinite.values().length,
      LOSS_SCALES.length,
      Shape.values().length,
      Axes.values().length,
      SIZES.length,
      MISALIGNMENTS / 8,
      8,
      THREADS.length,
      Spread.values().length,
      Inputs.Kind.values().length,
      Inputs.Kind.values().length,
      Rates.values().length,
      2,
      2
    };
  }

  /** The configuration that a row of choices stands for. */
  static SameBitsCase of(int[] row, long seed) {
    Row choices = new Row(row);
    int id = choices.index();
    int variant = choices.index();
    return new SameBitsCase(
        rule(id, variant),
        rule(id * 7 + 3, variant),
        choices.of(FORMATS),
        choices.of(FORMATS),
        choices.of(FORMATS),
        choices.of(Rounding.values()),
        choices.of(Rounding.values()),
        choices.of(Rounding.values()),
        choices.of(FORMATS_OR_NONE),
        choices.of(FORMATS_OR_NONE),
        choices.of(AVERAGES),
        choices.of(Masking.values()),
        choices.of(MaskedStates.values()),
        choices.of(CLIPS),
        choices.of(NonFinite.values()),
        LOSS_SCALES[choices.index()],
        choices.of(Shape.values()),
        choices.of(Axes.values()),
        SIZES[choices.index()],
        8 * choices.index() + choices.index(),
        THREADS[choices.index()],
        choices.of(Spread.values()),
        choices.of(Inputs.Kind.values()),
        choices.of(Inputs.Kind.values()),
        choices.of(Rates.values()),
        choices.index() == 1,
        choices.index() == 1,
        seed);
  }

  private static Rule rule(int id, int variant) {
    List<Rule> variants = RULES.get(id % RULES.size());
    return variants.get(variant % variants.size());
  }

  /** Reads a row from left to right. */
  private static final class Row {
    private final int[] row;
    private int at;

    Row(int[] row) {
      this.row = row;
    }

    int index() {
      return row[at++];
    }

    <T> T of(T[] choices) {
      return choices[index()];
    }
  }
}
