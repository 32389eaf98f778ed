package org.fettle.internal;

import java.nio.ByteBuffer;
import org.fettle.Average;
import org.fettle.DType;
import org.fettle.GradientClip;
import org.fettle.Parameter;
import org.fettle.Rounding;
import org.fettle.Rule;
import org.fettle.Rules;
import org.fettle.Step;
import org.fettle.Tensor;

/** A plan's tables in native memory, as {@code native/include/fettle/plan.h} describes them. */
final class PlanTable implements AutoCloseable {
  private static final int MAX_SUMS = 4;
  private static final int AVERAGE_BYTES = 40;
  private static final int MAX_ROW_COEFFICIENTS = 2;
  private static final int DTYPE_NONE = 255;

  private final PlanSpec plan;
  private final NativeMemory memory;
  private final ByteBuffer table;
  private final int tensorsAt;
  private final int groupsAt;
  private final Tensor[] gradients;
  private final boolean[] skipped;
  private final String[][] inputs;
  private final int[] hyperCount;

  /**
   * Lays the plan out.
   *
   * @param rangeChunks chunks that a participant takes at a time
   * @param scratch whether room for the partial sums of reductions is needed here
   */
  PlanTable(PlanSpec plan, long rangeChunks, boolean scratch) {
    this.plan = plan;
    int tensors = plan.tensors().size();
    int groups = plan.rules().size();
    boolean reduces = scratch && (plan.needsGradientPass() || plan.gathers() > 0);
    tensorsAt = align(PlanLayout.PLAN_BYTES);
    groupsAt =
        align(Math.addExact(tensorsAt, Math.multiplyExact(tensors, PlanLayout.TENSOR_BYTES)));
    int tensorSumsAt = align(groupsAt + groups * PlanLayout.GROUP_BYTES);
    int tableBytes = align(tensorSumsAt + tensors * Double.BYTES);
    long sumsBytes =
        reduces ? Math.multiplyExact(plan.chunks(), (long) MAX_SUMS * Double.BYTES) : 0;
    boolean byRows = reduces && plan.rules().stream().anyMatch(Rule::rowwise);
    long rowSumsBytes = byRows ? plan.rows() * (MAX_SUMS + 1) * Double.BYTES : 0;
    long rowCoefficientsBytes = byRows ? plan.rows() * MAX_ROW_COEFFICIENTS * Float.BYTES : 0;
    memory = NativeMemory.allocate(tableBytes + sumsBytes + rowSumsBytes + rowCoefficientsBytes, 0);
    table = Addresses.buffer(address(), tableBytes);
    gradients = new Tensor[tensors];
    skipped = new boolean[groups];
    inputs =
        plan.rules().stream()
            .map(rule -> rule.inputs().toArray(new String[0]))
            .toArray(String[][]::new);
    hyperCount = plan.rules().stream().mapToInt(rule -> rule.hyper().length).toArray();

    table.putLong(PlanLayout.PLAN_SIZE_FIELD, PlanLayout.PLAN_BYTES);
    table.putLong(PlanLayout.PLAN_TENSORS, address() + tensorsAt);
    table.putLong(PlanLayout.PLAN_TENSOR_COUNT, tensors);
    table.putLong(PlanLayout.PLAN_GROUPS, address() + groupsAt);
    table.putLong(PlanLayout.PLAN_GROUP_COUNT, groups);
    table.putLong(PlanLayout.PLAN_CHUNK_COUNT, plan.chunks());
    table.putLong(PlanLayout.PLAN_RANGE_CHUNKS, rangeChunks);
    table.putLong(PlanLayout.PLAN_SUMS, reduces ? address() + tableBytes : 0);
    table.putLong(PlanLayout.PLAN_TENSOR_SUMS, address() + tensorSumsAt);
    table.putLong(PlanLayout.PLAN_ROW_COUNT, plan.rows());
    table.putLong(PlanLayout.PLAN_ROW_SUMS, byRows ? address() + tableBytes + sumsBytes : 0);
    table.putLong(
        PlanLayout.PLAN_ROW_COEFFICIENTS,
        byRows ? address() + tableBytes + sumsBytes + rowSumsBytes : 0);
    table.putLong(PlanLayout.PLAN_GATHERS, plan.gathers());
    table.putLong(PlanLayout.PLAN_GRADIENT_PASS, plan.needsGradientPass() ? 1 : 0);
    table.putLong(PlanLayout.PLAN_NON_FINITE_POLICY, plan.nonFinite().code());
    table.putLong(PlanLayout.PLAN_SEED, plan.seed());
    table.putLong(PlanLayout.PLAN_MASKED_STATES, plan.maskedStates().code());
    table.putDouble(PlanLayout.PLAN_LOSS_SCALE, 1);
    table.putDouble(PlanLayout.PLAN_GRADIENT_NORM, Double.NaN);
    putClip(plan.clip());
    for (int k = 0; k < plan.averages().size(); k++) {
      putAverage(PlanLayout.PLAN_AVERAGE + k * AVERAGE_BYTES, plan.averages().get(k));
    }
    putTensors();
    for (int group = 0; group < groups; group++) {
      putGroup(groupAt(group), plan.rules().get(group));
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

  /** The fields of a fettle_average, each of eight bytes. */
  private void putAverage(int at, Average average) {
    table.putDouble(at, average.nativeDecay());
    table.putLong(at + 8, average.warmup().code());
    table.putDouble(at + 16, (double) average.warmupSteps());
    table.putDouble(at + 24, average.warmupRatio());
    table.putLong(at + 32, average.interval());
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
    long row = 0;
    for (int i = 0; i < plan.tensors().size(); i++) {
      PlanSpec.Entry entry = plan.tensors().get(i);
      Parameter parameter = entry.parameter();
      int at = tensorAt(i);
      putOperand(at + PlanLayout.TENSOR_PARAMETER, parameter.value(), plan.parameterRounding());
      putOperand(at + PlanLayout.TENSOR_COPY, parameter.copy(), plan.copyRounding());
      // An average of 16 bits is rounded to nearest: it has no policy of its own.
      for (int k = 0; k < PlanSpec.MAX_AVERAGES; k++) {
        Tensor average = k < parameter.averages().size() ? parameter.averages().get(k) : null;
        int operand = at + PlanLayout.TENSOR_AVERAGE + k * PlanLayout.OPERAND_BYTES;
        putOperand(operand, average, Rounding.NEAREST);
      }
      for (int k = 0; k < entry.states().size(); k++) {
        int state = at + PlanLayout.TENSOR_STATE + k * PlanLayout.OPERAND_BYTES;
        putOperand(state, entry.states().get(k), plan.stateRounding());
        entry.blocks().get(k).ifPresent(blocks -> putBlocks(state, blocks));
      }
      table.putLong(
          at + PlanLayout.TENSOR_MASK, parameter.mask() == null ? 0 : parameter.mask().address());
      table.putLong(at + PlanLayout.TENSOR_ELEMENTS, entry.elements());
      table.putLong(at + PlanLayout.TENSOR_FIRST_CHUNK, chunk);
      table.putLong(at + PlanLayout.TENSOR_ROWS, entry.rows());
      table.putLong(at + PlanLayout.TENSOR_ROW_LENGTH, entry.rowLength());
      table.putLong(at + PlanLayout.TENSOR_FIRST_ROW, row);
      table.putLong(at + PlanLayout.TENSOR_RANK, parameter.value().rank());
      table.putLong(
          at + PlanLayout.TENSOR_ROW_STATE,
          entry.rowState() == null ? 0 : entry.rowState().address());
      table.putLong(at + PlanLayout.TENSOR_GROUP, entry.group());
      table.putLong(at + PlanLayout.TENSOR_STREAM, (long) i * PlanSpec.STREAMS);
      table.putDouble(at + PlanLayout.TENSOR_GRADIENT_SQUARE, Double.NaN);
      Rule rule = plan.rules().get(entry.group());
      for (int k = 0; k < rule.scalars().size(); k++) {
        scalar(i, k, rule.initialScalar(k));
      }
      gradient(i, parameter.gradient());
      chunk += entry.chunks();
      row += entry.rows();
    }
  }

  private void putOperand(int at, Tensor tensor, Rounding rounding) {
    table.putLong(at + PlanLayout.OPERAND_DATA, tensor == null ? 0 : tensor.address());
    table.putLong(
        at + PlanLayout.OPERAND_DTYPE, tensor == null ? DTYPE_NONE : tensor.dtype().code());
    table.putLong(at + PlanLayout.OPERAND_ROUNDING, rounding.code());
  }

  private void putBlocks(int at, Blocks blocks) {
    table.putLong(at + PlanLayout.OPERAND_DTYPE, blocks.format().code());
    table.putLong(at + PlanLayout.OPERAND_SCALES, blocks.scales().address());
    table.putLong(at + PlanLayout.OPERAND_BLOCK_SIZE, blocks.size());
  }

  private int tensorAt(int tensor) {
    return tensorsAt + tensor * PlanLayout.TENSOR_BYTES;
  }

  private int groupAt(int group) {
    return groupsAt + group * PlanLayout.GROUP_BYTES;
  }

  /** A rule's inputs are its last hyperparameters. */
  private void putInputs(int group, Step step) {
    String[] names = inputs[group];
    if (names.length > 0) {
      int first = hyperCount[group] - names.length;
      for (int i = 0; i < names.length; i++) {
        int at = groupAt(group) + PlanLayout.GROUP_HYPER + (first + i) * Double.BYTES;
        table.putDouble(at, step.input(names[i]));
      }
    }
  }

  /** Takes over what a step was given. */
  void step(Step step) {
    for (int group = 0; group < plan.rules().size(); group++) {
      double lr = step.lrOf(group, plan.rules().get(group).lr());
      table.putDouble(groupAt(group) + PlanLayout.GROUP_HYPER, lr);
      putInputs(group, step);
    }
    for (int group = 0; group < skipped.length; group++) {
      skipped[group] = step.skips(group);
    }
    for (int i = 0; i < gradients.length; i++) {
      putActive(i);
    }
    table.putDouble(PlanLayout.PLAN_LOSS_SCALE, step.lossScale());
  }

  /** Whether a tensor takes part in the steps that follow. */
  boolean isActive(int tensor) {
    return gradients[tensor] != null && !skipped[plan.tensors().get(tensor).group()];
  }

  /** A staged step may lose a gradient or find one: a kernel must never see one that is gone. */
  private void putActive(int tensor) {
    table.putLong(tensorAt(tensor) + PlanLayout.TENSOR_ACTIVE, isActive(tensor) ? 1 : 0);
  }

  void cursor(long chunk) {
    table.putLong(PlanLayout.PLAN_CURSOR, chunk);
  }

  void gradient(int tensor, Tensor gradient) {
    gradients[tensor] = gradient;
    putActive(tensor);
    int at = tensorAt(tensor) + PlanLayout.TENSOR_GRADIENT;
    putOperand(at, gradient, Rounding.NEAREST);
    if (gradient == null) {
      // A gradient that comes later has the parameter's format unless it says otherwise.
      DType dtype = plan.tensors().get(tensor).parameter().value().dtype();
      table.putLong(at + PlanLayout.OPERAND_DTYPE, dtype.code());
    }
  }

  /** Where the operand of a tensor's gradient is. */
  long gradientOperand(int tensor) {
    return address() + tensorAt(tensor) + PlanLayout.TENSOR_GRADIENT;
  }

  long stepCount(int tensor) {
    return table.getLong(tensorAt(tensor) + PlanLayout.TENSOR_STEP);
  }

  void stepCount(int tensor, long count) {
    table.putLong(tensorAt(tensor) + PlanLayout.TENSOR_STEP, count);
  }

  double scalar(int tensor, int index) {
    return table.getDouble(tensorAt(tensor) + PlanLayout.TENSOR_SCALARS + index * Double.BYTES);
  }

  void scalar(int tensor, int index, double value) {
    table.putDouble(tensorAt(tensor) + PlanLayout.TENSOR_SCALARS + index * Double.BYTES, value);
  }

  double gradientNorm() {
    return plan.needsGradientPass() ? table.getDouble(PlanLayout.PLAN_GRADIENT_NORM) : Double.NaN;
  }

  double gradientNorm(int tensor) {
    return plan.needsGradientPass()
        ? Math.sqrt(table.getDouble(tensorAt(tensor) + PlanLayout.TENSOR_GRADIENT_SQUARE))
        : Double.NaN;
  }

  boolean nonFinite() {
    return table.getLong(PlanLayout.PLAN_NON_FINITE) != 0;
  }

  /** Where the fettle_plan is. */
  long address() {
    return memory.address();
  }

  @Override
  public void close() {
    memory.close();
  }
}
