package org.fettle.internal;

/**
 * Where the fields of the plan tables lie ({@code native/include/fettle/plan.h}), as the library
 * itself tells it: there is no second description that could drift.
 */
final class PlanLayout {
  private static int next;

  // fettle_plan
  static final int PLAN_SIZE_FIELD = offset();
  static final int PLAN_TENSORS = offset();
  static final int PLAN_TENSOR_COUNT = offset();
  static final int PLAN_GROUPS = offset();
  static final int PLAN_GROUP_COUNT = offset();
  static final int PLAN_CHUNK_COUNT = offset();
  static final int PLAN_RANGE_CHUNKS = offset();
  static final int PLAN_CURSOR = offset();
  static final int PLAN_SUMS = offset();
  static final int PLAN_GATHERS = offset();
  static final int PLAN_GRADIENT_PASS = offset();
  static final int PLAN_NON_FINITE_POLICY = offset();
  static final int PLAN_NON_FINITE = offset();
  static final int PLAN_CLIP_KIND = offset();
  static final int PLAN_MAX_NORM = offset();
  static final int PLAN_CLIP_VALUE = offset();
  static final int PLAN_LOSS_SCALE = offset();
  static final int PLAN_SEED = offset();
  static final int PLAN_AVERAGE = offset();
  static final int PLAN_GRADIENT_NORM = offset();
  static final int PLAN_RULE_NORM = offset();
  static final int PLAN_TENSOR_SUMS = offset();
  static final int PLAN_ROW_COUNT = offset();
  static final int PLAN_ROW_SUMS = offset();
  static final int PLAN_ROW_COEFFICIENTS = offset();
  static final int PLAN_MASKED_STATES = offset();
  static final int PLAN_BYTES = offset();

  // fettle_tensor
  static final int TENSOR_PARAMETER = offset();
  static final int TENSOR_GRADIENT = offset();
  static final int TENSOR_STATE = offset();
  static final int TENSOR_COPY = offset();
  static final int TENSOR_AVERAGE = offset();
  static final int TENSOR_MASK = offset();
  static final int TENSOR_ROW_STATE = offset();
  static final int TENSOR_ELEMENTS = offset();
  static final int TENSOR_ROWS = offset();
  static final int TENSOR_ROW_LENGTH = offset();
  static final int TENSOR_FIRST_ROW = offset();
  static final int TENSOR_RANK = offset();
  static final int TENSOR_FIRST_CHUNK = offset();
  static final int TENSOR_GROUP = offset();
  static final int TENSOR_STREAM = offset();
  static final int TENSOR_ACTIVE = offset();
  static final int TENSOR_STEP = offset();
  static final int TENSOR_SCALARS = offset();
  static final int TENSOR_NEXT_SCALARS = offset();
  static final int TENSOR_GRADIENT_SQUARE = offset();
  static final int TENSOR_UNSCALE = offset();
  static final int TENSOR_CLIP_VALUE = offset();
  static final int TENSOR_CLIP_FACTOR = offset();
  static final int TENSOR_AVERAGE_KEEP = offset();
  static final int TENSOR_AVERAGE_TAKE = offset();
  static final int TENSOR_AVERAGE_DUE = offset();
  static final int TENSOR_COEFFICIENTS = offset();
  static final int TENSOR_BYTES = offset();

  // fettle_group
  static final int GROUP_RULE = offset();
  static final int GROUP_HYPER = offset();
  static final int GROUP_BYTES = offset();

  // fettle_operand
  static final int OPERAND_DATA = offset();
  static final int OPERAND_SCALES = offset();
  static final int OPERAND_DTYPE = offset();
  static final int OPERAND_ROUNDING = offset();
  static final int OPERAND_BLOCK_SIZE = offset();
  static final int OPERAND_BYTES = offset();

  static {
    if (Native.layout(next) != -1) {
      throw new IllegalStateException(
          "the library's plan tables have fields that these classes do not know");
    }
  }

  private PlanLayout() {}

  private static int offset() {
    long offset = Native.layout(next++);
    if (offset < 0) {
      throw new IllegalStateException(
          "the library's plan tables lack fields that these classes know");
    }
    return (int) offset;
  }
}
