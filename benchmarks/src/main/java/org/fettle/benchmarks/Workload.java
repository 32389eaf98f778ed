package org.fettle.benchmarks;

import org.fettle.Average;
import org.fettle.DType;
import org.fettle.GradientClip;
import org.fettle.PlanBuilder;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.StateFormat;
import org.fettle.rules.AdamW;

/**
 * What a step does, and on how much.
 *
 * @param rule the optimizer
 * @param storage how parameters, gradients and states are stored
 * @param extra what rides on the step
 * @param elements of one tensor
 * @param tensors how many tensors of that size
 */
public record Workload(Rule rule, Storage storage, Extra extra, long elements, int tensors) {
  private static final long ROW = 4_000;

  /** How parameters, gradients and states are stored. */
  public enum Storage {
    /** Everything in f32. */
    F32(DType.F32, DType.F32, DType.F32),
    /** f32 parameters and states, bf16 gradients. */
    MIXED(DType.F32, DType.BF16, DType.F32),
    /** bf16 parameters and gradients, f32 states. */
    BF16(DType.BF16, DType.BF16, DType.F32),
    /** Everything in bf16. */
    ALLBF16(DType.BF16, DType.BF16, DType.BF16),
    /** f32 with states in 8 bits, equal steps. */
    LINEAR8(StateFormat.linear8(), 1),
    /** f32 with states in 8 bits, bitsandbytes' dynamic maps. */
    DYNAMIC8(StateFormat.dynamic8(), 1),
    /** f32 with states in 4 bits, pytorch/ao's maps. */
    TORCHAO4(StateFormat.torchao4(), 0.5),
    /** f32 with states in FP8; blocks of 128, which divide the elements. */
    FP8(StateFormat.fp8().withBlockSize(128), 1);

    final DType parameter;
    final DType gradient;
    final DType state;

    // A record of numbers.
    @SuppressWarnings("ImmutableEnumChecker")
    final StateFormat format;

    final double stateBytes;

    Storage(DType parameter, DType gradient, DType state) {
      this.parameter = parameter;
      this.gradient = gradient;
      this.state = state;
      format = null;
      stateBytes = state.bytes(1);
    }

    /** The scales of the blocks are not counted. */
    Storage(StateFormat format, double stateBytes) {
      parameter = DType.F32;
      gradient = DType.F32;
      state = null;
      this.format = format;
      this.stateBytes = stateBytes;
    }
  }

  /** What rides on the step. */
  public enum Extra {
    /** Nothing. */
    NONE,
    /** A pruning mask. */
    MASK,
    /** A moving average of the parameters. */
    EMA,
    /** A bf16 copy of the parameters. */
    COPY,
    /** Clipping by the global norm. */
    CLIP,
    /** Stochastic rounding of 16-bit parameters. */
    STOCHASTIC
  }

  /**
   * Rows of 4,000 for a rule that reduces by rows, where they divide the elements; else a vector.
   */
  long[] shape() {
    return rule.rowwise() && elements % ROW == 0
        ? new long[] {elements / ROW, ROW}
        : new long[] {elements};
  }

  /** Whether it is AdamW in f32 and nothing else, which other libraries have too. */
  public boolean isPlainAdamW() {
    return rule.equals(new AdamW()) && storage == Storage.F32 && extra == Extra.NONE;
  }

  /** Elements of all tensors together. */
  public long total() {
    return elements * tensors;
  }

  /** Such as {@code adamw.f32.1e7} or {@code adamw+ema.f32.1e7}. */
  public String name() {
    String extras =
        extra == Extra.NONE ? "" : "+" + extra.name().toLowerCase(java.util.Locale.ROOT);
    String format = storage.name().toLowerCase(java.util.Locale.ROOT);
    return rule.id() + extras + "." + format + "." + size();
  }

  /** Such as {@code 1e7} or {@code 1000x1000}. */
  public String size() {
    return tensors > 1 ? tensors + "x" + elements : power(elements);
  }

  private static String power(long n) {
    int exponent = 0;
    long rest = n;
    while (rest % 10 == 0 && rest > 0) {
      rest /= 10;
      exponent++;
    }
    return exponent < 3 ? Long.toString(n) : rest + "e" + exponent;
  }

  /** Sets what the workload asks of a plan, but for its tensors. */
  void configure(PlanBuilder builder) {
    if (storage.format == null) {
      builder.states(storage.state, Rounding.NEAREST);
    } else {
      builder.states(storage.format);
    }
    switch (extra) {
      case EMA -> builder.average(new Average(0.999));
      // Never reached by the gradients here, but its norm has to be known all the same.
      case CLIP -> builder.clip(GradientClip.byGlobalNorm(1e6));
      case STOCHASTIC -> builder.rounding(Rounding.STOCHASTIC).seed(1);
      case NONE, MASK, COPY -> {}
    }
  }
}
