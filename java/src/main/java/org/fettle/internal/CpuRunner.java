package org.fettle.internal;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import org.fettle.Average;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.Step;
import org.fettle.Tensor;

/**
 * A plan on the native kernels: its tables in native memory, and the calls of a step. A small plan
 * is one native call on the caller's thread; a large one is one call per participant and phase.
 */
final class CpuRunner implements Runner {
  /**
   * Below this many elements a step runs inline: fanning out costs about as much as computing them.
   */
  private static final long INLINE_ELEMENTS = 64 * 1024;

  /** No participant gets less than this. */
  private static final long LEAST_PER_PARTICIPANT = 32 * 1024;

  private static final int OK = 0;
  private static final int NON_FINITE = 5;
  private static final int PHASE_GRADIENT = 0;
  private static final int PHASE_GATHER = 1;
  private static final int PHASE_APPLY = 2;
  private static final int MAX_SUMS = 4;
  private static final int DTYPE_NONE = 255;

  private final PlanSpec plan;
  private final int tier;
  private final NativeMemory memory;
  private final ByteBuffer table;
  private final long address;
  private final int tensorsAt;
  private final int groupsAt;
  private final boolean gradientPass;
  private final int gathers;
  private final Workers workers;
  private final int participants;
  private final Tensor[] gradients;
  private final Runnable work = this::takeRanges;
  private int phase;
  private int gather;

  CpuRunner(PlanSpec plan, int tier) {
    this.plan = plan;
    this.tier = tier;
    int tensors = plan.tensors().size();
    int groups = plan.rules().size();
    long chunks = plan.tensors().stream().mapToLong(PlanSpec.Entry::chunks).sum();
    gradientPass = plan.needsGradientPass();
    gathers = plan.gathers();
    boolean reduces = gradientPass || gathers > 0;
    tensorsAt = align(PlanLayout.PLAN_BYTES);
    groupsAt =
        align(Math.addExact(tensorsAt, Math.multiplyExact(tensors, PlanLayout.TENSOR_BYTES)));
    int tensorSumsAt = align(groupsAt + groups * PlanLayout.GROUP_BYTES);
    int tableBytes = align(tensorSumsAt + tensors * Double.BYTES);
    long sumsBytes = reduces ? Math.multiplyExact(chunks, (long) MAX_SUMS * Double.BYTES) : 0;
    memory = NativeMemory.allocate(tableBytes + sumsBytes, 0);
    address = memory.address();
    table = Addresses.buffer(address, tableBytes);
    long elements = plan.tensors().stream().mapToLong(PlanSpec.Entry::elements).sum();
    participants =
        elements < INLINE_ELEMENTS
            ? 1
            : (int) Math.max(1, Math.min(plan.threads(), elements / LEAST_PER_PARTICIPANT));
    workers = new Workers(participants, plan.executor());
    gradients = new Tensor[tensors];

    table.putLong(PlanLayout.PLAN_SIZE_FIELD, PlanLayout.PLAN_BYTES);
    table.putLong(PlanLayout.PLAN_TENSORS, address + tensorsAt);
    table.putLong(PlanLayout.PLAN_TENSOR_COUNT, tensors);
    table.putLong(PlanLayout.PLAN_GROUPS, address + groupsAt);
    table.putLong(PlanLayout.PLAN_GROUP_COUNT, groups);
    table.putLong(PlanLayout.PLAN_CHUNK_COUNT, chunks);
    table.putLong(PlanLayout.PLAN_RANGE_CHUNKS, Math.max(1, chunks / (8L * participants)));
    table.putLong(PlanLayout.PLAN_SUMS, reduces ? address + tableBytes : 0);
    table.putLong(PlanLayout.PLAN_TENSOR_SUMS, address + tensorSumsAt);
    table.putLong(PlanLayout.PLAN_GATHERS, gathers);
    table.putLong(PlanLayout.PLAN_GRADIENT_PASS, gradientPass ? 1 : 0);
    table.putLong(PlanLayout.PLAN_NON_FINITE_POLICY, plan.nonFinite().code());
    putClip(plan.clip());
    putAverage(plan.average());
    table.putLong(PlanLayout.PLAN_SEED, plan.seed());
    putTensors();
    for (int group = 0; group < groups; group++) {
      putGroup(groupsAt + group * PlanLayout.GROUP_BYTES, plan.rules().get(group));
    }
  }

  private static int align(int bytes) {
    return Math.addExact(bytes, 63) & -64;
  }

  private void putClip(GradientClip clip) {
    table.putLong(PlanLayout.PLAN_CLIP_KIND, clip.norm().code());
    table.putDouble(PlanLayout.PLAN_MAX_NORM, clip.maxNorm());
    table.putDouble(PlanLayout.PLAN_CLIP_VALUE, clip.value());
  }

  private void putAverage(Average average) {
    table.putDouble(PlanLayout.PLAN_AVERAGE_DECAY, average.decay());
    table.putLong(PlanLayout.PLAN_AVERAGE_WARMUP, average.warmup().code());
    table.putDouble(PlanLayout.PLAN_AVERAGE_WARMUP_STEPS, (double) average.warmupSteps());
    table.putDouble(PlanLayout.PLAN_AVERAGE_WARMUP_RATIO, average.warmupRatio());
    table.putLong(PlanLayout.PLAN_AVERAGE_INTERVAL, average.interval());
  }

  private void putGroup(int at, Rule rule) {
    table.putLong(at + PlanLayout.GROUP_RULE, Rules.number(rule.id()));
    double[] hyper = rule.hyper();
    for (int i = 0; i < hyper.length; i++) {
      table.putDouble(at + PlanLayout.GROUP_HYPER + i * Double.BYTES, hyper[i]);
    }
  }

  private void putTensors() {
    long chunk = 0;
    for (int i = 0; i < plan.tensors().size(); i++) {
      PlanSpec.Entry entry = plan.tensors().get(i);
      Parameter parameter = entry.parameter();
      int at = tensorAt(i);
      putOperand(at + PlanLayout.TENSOR_PARAMETER, parameter.value(), plan.parameterRounding());
      putOperand(at + PlanLayout.TENSOR_COPY, parameter.copy(), plan.copyRounding());
      // An average of 16 bits is rounded to nearest: it has no policy of its own.
      putOperand(at + PlanLayout.TENSOR_AVERAGE, parameter.average(), Rounding.NEAREST);
      for (int k = 0; k < entry.states().size(); k++) {
        int state = at + PlanLayout.TENSOR_STATE + k * PlanLayout.OPERAND_BYTES;
        putOperand(state, entry.states().get(k), plan.stateRounding());
      }
      table.putLong(
          at + PlanLayout.TENSOR_MASK, parameter.mask() == null ? 0 : parameter.mask().address());
      table.putLong(at + PlanLayout.TENSOR_ELEMENTS, entry.elements());
      table.putLong(at + PlanLayout.TENSOR_FIRST_CHUNK, chunk);
      table.putLong(at + PlanLayout.TENSOR_GROUP, entry.group());
      table.putLong(at + PlanLayout.TENSOR_STREAM, (long) i * PlanSpec.STREAMS);
      Rule rule = plan.rules().get(entry.group());
      for (int k = 0; k < rule.scalars().size(); k++) {
        scalar(i, k, rule.initialScalar(k));
      }
      gradient(i, parameter.gradient());
      chunk += entry.chunks();
    }
  }

  private void putOperand(int at, Tensor tensor, Rounding rounding) {
    table.putLong(at + PlanLayout.OPERAND_DATA, tensor == null ? 0 : tensor.address());
    table.putLong(
        at + PlanLayout.OPERAND_DTYPE, tensor == null ? DTYPE_NONE : tensor.dtype().code());
    table.putLong(at + PlanLayout.OPERAND_ROUNDING, rounding.code());
  }

  private int tensorAt(int tensor) {
    return tensorsAt + tensor * PlanLayout.TENSOR_BYTES;
  }

  @Override
  public boolean step(Step step) {
    for (int group = 0; group < plan.rules().size(); group++) {
      double lr = step.lrOf(group, plan.rules().get(group).lr());
      table.putDouble(groupsAt + group * PlanLayout.GROUP_BYTES + PlanLayout.GROUP_HYPER, lr);
    }
    for (int i = 0; i < gradients.length; i++) {
      boolean active = gradients[i] != null && !step.skips(plan.tensors().get(i).group());
      table.putLong(tensorAt(i) + PlanLayout.TENSOR_ACTIVE, active ? 1 : 0);
    }
    table.putDouble(PlanLayout.PLAN_LOSS_SCALE, step.lossScale());
    try {
      return participants == 1 ? applied(Native.cpuStep(address, tier)) : spread();
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  private boolean spread() {
    applied(Native.cpuBegin(address, tier));
    if (gradientPass) {
      run(PHASE_GRADIENT, 0);
    }
    if (!applied(Native.cpuPrepare(address, tier))) {
      return false;
    }
    for (int k = 0; k < gathers; k++) {
      run(PHASE_GATHER, k);
      applied(Native.cpuCombine(address, tier, k));
    }
    run(PHASE_APPLY, 0);
    return applied(Native.cpuCommit(address));
  }

  private void run(int newPhase, int newGather) {
    phase = newPhase;
    gather = newGather;
    table.putLong(PlanLayout.PLAN_CURSOR, 0);
    workers.run(participants, work);
  }

  private void takeRanges() {
    applied(Native.cpuRun(address, tier, phase, gather));
  }

  private static boolean applied(int status) {
    if (status == OK) {
      return true;
    }
    if (status == NON_FINITE) {
      return false;
    }
    throw new IllegalStateException("the step failed: " + Native.statusText(status));
  }

  @Override
  public void gradient(int tensor, Tensor gradient) {
    gradients[tensor] = gradient;
    putOperand(tensorAt(tensor) + PlanLayout.TENSOR_GRADIENT, gradient, Rounding.NEAREST);
  }

  @Override
  public long stepCount(int tensor) {
    return table.getLong(tensorAt(tensor) + PlanLayout.TENSOR_STEP);
  }

  @Override
  public void stepCount(int tensor, long count) {
    table.putLong(tensorAt(tensor) + PlanLayout.TENSOR_STEP, count);
  }

  @Override
  public double scalar(int tensor, int index) {
    return table.getDouble(tensorAt(tensor) + PlanLayout.TENSOR_SCALARS + index * Double.BYTES);
  }

  @Override
  public void scalar(int tensor, int index, double value) {
    table.putDouble(tensorAt(tensor) + PlanLayout.TENSOR_SCALARS + index * Double.BYTES, value);
  }

  @Override
  public double gradientNorm() {
    return gradientPass ? table.getDouble(PlanLayout.PLAN_GRADIENT_NORM) : Double.NaN;
  }

  @Override
  public double gradientNorm(int tensor) {
    return gradientPass
        ? Math.sqrt(table.getDouble(tensorAt(tensor) + PlanLayout.TENSOR_GRADIENT_SQUARE))
        : Double.NaN;
  }

  @Override
  public void close() {
    memory.close();
  }
}
