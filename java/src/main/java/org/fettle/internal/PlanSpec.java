package org.fettle.internal;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.fettle.Average;
import org.fettle.GradientClip;
import org.fettle.MaskedStates;
import org.fettle.NonFinite;
import org.fettle.Parameter;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.Tensor;

/**
 * A validated plan.
 *
 * @param rules one rule per group
 * @param tensors all parameters, groups one behind the other
 * @param clip limits on the gradients
 * @param nonFinite what a non-finite gradient does
 * @param averages how the averages of a parameter move, also where none has one
 * @param maskedStates what becomes of states where a pruning mask is 0
 * @param parameterRounding how parameters of 16 bits are rounded
 * @param copyRounding how low-precision copies are rounded
 * @param stateRounding how states of 16 bits are rounded
 * @param seed of the random streams
 * @param threads the most threads that may work on a step
 * @param executor where to fan out; null for the common pool
 */
public record PlanSpec(
    List<Rule> rules,
    List<Entry> tensors,
    GradientClip clip,
    NonFinite nonFinite,
    List<Average> averages,
    MaskedStates maskedStates,
    Rounding parameterRounding,
    Rounding copyRounding,
    Rounding stateRounding,
    long seed,
    int threads,
    Executor executor) {
  /** Elements of one chunk: the unit of work and of the reduction order. */
  public static final int CHUNK = 4096;

  /** Lanes of a chunk in the reduction order. */
  public static final int LANES = 128;

  /** States that a rule may keep: tiles have room for so many. */
  public static final int MAX_STATES = 4;

  /** Averages that may ride on the step of one parameter. */
  public static final int MAX_AVERAGES = 4;

  /** Scalars that a rule may keep per tensor. */
  public static final int MAX_SCALARS = 4;

  /** Sums that a gather may form. */
  public static final int MAX_SUMS = 4;

  /** Random streams per tensor. */
  public static final int STREAMS = 16;

  /**
   * A parameter with its states.
   *
   * @param states in their stored form: the parameter's shape, or the bytes of block-wise codes
   * @param blocks of each state, where it is block-wise
   */
  public record Entry(
      int group,
      Parameter parameter,
      List<Tensor> states,
      List<Optional<Blocks>> blocks,
      long rows,
      RowDoubles rowState) {
    /** The scales of block-wise states. */
    public List<Tensor> scales() {
      return blocks.stream().flatMap(Optional::stream).map(Blocks::scales).toList();
    }

    /** Elements of the parameter. */
    public long elements() {
      return parameter.value().elements();
    }

    /** Chunks of the parameter. */
    public long chunks() {
      return rows * chunksPerRow();
    }

    /** Elements of a row of the reductions. */
    public long rowLength() {
      return rows == 0 ? 0 : elements() / rows;
    }

    /** Chunks of a row: a row starts the chunks anew. */
    public long chunksPerRow() {
      return (rowLength() + CHUNK - 1) / CHUNK;
    }

    /** The row of a chunk. */
    public long rowOf(long chunk) {
      return rows == 1 ? 0 : chunk / chunksPerRow();
    }

    /** The first element of a chunk. */
    public long first(long chunk) {
      long row = rowOf(chunk);
      return row * rowLength() + (chunk - row * chunksPerRow()) * CHUNK;
    }

    /** One behind the last element of a chunk. */
    public long last(long chunk) {
      return Math.min(first(chunk) + CHUNK, (rowOf(chunk) + 1) * rowLength());
    }
  }

  /** Chunks of all tensors. */
  public long chunks() {
    return tensors.stream().mapToLong(Entry::chunks).sum();
  }

  /** Rows of all tensors. */
  public long rows() {
    return tensors.stream().mapToLong(Entry::rows).sum();
  }

  /** Elements of all tensors. */
  public long elements() {
    return tensors.stream().mapToLong(Entry::elements).sum();
  }

  /** Whether the gradients are read once more before the step. */
  public boolean needsGradientPass() {
    return nonFinite != NonFinite.PASS
        || clip.norm() != GradientClip.Norm.NONE
        || rules.stream().anyMatch(Rule::needsGradientNorm);
  }

  /** The most gathers that a rule of the plan makes. */
  public int gathers() {
    return rules.stream().mapToInt(Rule::gathers).max().orElse(0);
  }
}
