// The serial parts of a step: arguments, norms, coefficients, combined sums. The formulas are core/prepare.h's and the
// rules' own; here they are spread over threads, a tensor each.
#include "serial.cuh"

#include "core/rule_calls.h"
#include "reduce.cuh"
#include "rules.cuh"

namespace fettle {
namespace FETTLE_TIER {

namespace {

FETTLE_DEVICE int64_t threadNumber() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
FETTLE_DEVICE int64_t threadCount() { return int64_t(gridDim.x) * blockDim.x; }

__device__ void prepareBy(int64_t rule, const StepContext& context, float* coefficients) {
  switch (rule) {
#define FETTLE_RULE(id, record, ...) \
  case rule_##id:                    \
    return prepareRule<__VA_ARGS__>(context, coefficients);
#include "fettle/rules.def"
#undef FETTLE_RULE
    default: return;
  }
}

__device__ void combineBy(int64_t rule, int gather, const StepContext& context, const double* sums,
                          float* coefficients) {
  switch (rule) {
#define FETTLE_RULE(id, record, ...) \
  case rule_##id:                    \
    return combineRule<__VA_ARGS__>(gather, context, sums, coefficients);
#include "fettle/rules.def"
#undef FETTLE_RULE
    default: return;
  }
}

__device__ double scoreBy(int64_t rule, const StepContext& context, const double* sums) {
  switch (rule) {
#define FETTLE_RULE(id, record, ...) \
  case rule_##id:                    \
    return scoreRow<__VA_ARGS__>(context, sums);
#include "fettle/rules.def"
#undef FETTLE_RULE
    default: return 0.0;
  }
}

__device__ void rowBy(int64_t rule, int gather, const StepContext& context, const float* coefficients, const Row& row) {
  switch (rule) {
#define FETTLE_RULE(id, record, ...) \
  case rule_##id:                    \
    return combineRow<__VA_ARGS__>(gather, context, coefficients, row);
#include "fettle/rules.def"
#undef FETTLE_RULE
    default: return;
  }
}

struct RuleShape {
  int gathers;
  int sums;
  bool maximum;
  bool rowwise;
};

template <class R>
FETTLE_DEVICE RuleShape shapeOfRule() {
  return {R::gathers, R::sums, R::maximum, R::rowwise};
}

FETTLE_DEVICE RuleShape shapeOf(int64_t rule) {
  switch (rule) {
#define FETTLE_RULE(id, record, ...) \
  case rule_##id:                    \
    return shapeOfRule<__VA_ARGS__>();
#include "fettle/rules.def"
#undef FETTLE_RULE
    default: return {0, 0, false, false};
  }
}

// The coefficients of a tensor. From here on nothing stops the step on the device, so unless a gather still has to
// read it, t counts at once: that saves a launch, and the update knows it as the step being taken.
FETTLE_DEVICE void prepareTensor(const fettle_plan& plan, fettle_tensor& tensor) {
  preparePipeline(plan, tensor);
  for (int k = 0; k < FETTLE_MAX_SCALARS; k++) tensor.next_scalars[k] = tensor.scalars[k];
  prepareBy(plan.groups[tensor.group].rule, contextOf(plan, tensor), tensor.coefficients);
  if (plan.gathers == 0) commit(tensor);
}

}  // namespace

__global__ void __launch_bounds__(mostThreads) stage(Tables tables, Arguments arguments) {
  const int64_t thread = threadNumber();
  const int64_t threads = threadCount();
  if (thread == 0) tables.plan->loss_scale = arguments.lossScale;
  for (int64_t i = thread; i < arguments.groups; i += threads) {
    tables.groups[arguments.firstGroup + i].hyper[0] = arguments.lr[i];
  }
  for (int64_t i = thread; i < arguments.tensors; i += threads) {
    tables.tensors[arguments.firstTensor + i].active = arguments.active[i / 32] >> unsigned(i % 32) & 1u;
  }
}

__global__ void __launch_bounds__(mostThreads) rebind(Tables tables, Addresses addresses) {
  for (int64_t i = threadNumber(); i < addresses.tensors; i += threadCount()) {
    fettle_tensor& tensor = tables.tensors[addresses.firstTensor + i];
    tensor.gradient.data = addresses.address[i];
    tensor.gradient.dtype = addresses.dtype[i];
    if (addresses.address[i] == nullptr) tensor.active = 0;
  }
}

__global__ void __launch_bounds__(mostThreads) begin(Tables tables) {
  fettle_plan& plan = *tables.plan;
  if (threadNumber() == 0) plan.non_finite = 0;
  for (int64_t i = threadNumber(); i < plan.tensor_count; i += threadCount()) {
    fettle_tensor& tensor = tables.tensors[i];
    if (tensor.active == 0) continue;
    preparePrologue(plan, tensor);
    if (plan.gradient_pass == 0) prepareTensor(plan, tensor);
  }
}

__global__ void __launch_bounds__(mostThreads) norms(Tables tables) {
  fettle_plan& plan = *tables.plan;
  const bool first = threadIdx.x == 0;
  for (int64_t i = int64_t(blockIdx.x); i < plan.tensor_count; i += int64_t(gridDim.x)) {
    fettle_tensor& tensor = tables.tensors[i];
    const double square = tensor.active != 0 ? blockTree(plan.sums + tensor.first_chunk, chunksOf(tensor)) : 0.0;
    if (first) {
      tensor.gradient_square = square;
      plan.tensor_sums[i] = square;
    }
  }
  if (!lastBlock(tables.arrived)) return;
  const double norm = rootOf(blockTree(plan.tensor_sums, plan.tensor_count));
  double ruleNorm = norm;
  if (plan.clip_kind == FETTLE_CLIP_GLOBAL) {
    ruleNorm = norm * clipFactor(norm, plan.max_norm);
  } else if (plan.clip_kind == FETTLE_CLIP_TENSOR) {
    for (int64_t i = int64_t(threadIdx.x); i < plan.tensor_count; i += int64_t(blockDim.x)) {
      plan.tensor_sums[i] = clippedSquare(plan, tables.tensors[i].gradient_square);
    }
    __syncthreads();
    ruleNorm = rootOf(blockTree(plan.tensor_sums, plan.tensor_count));
  }
  if (first) {
    plan.gradient_norm = norm;
    plan.rule_norm = ruleNorm;
  }
}

__global__ void __launch_bounds__(mostThreads) prepare(Tables tables) {
  const fettle_plan& plan = *tables.plan;
  if (stops(plan)) return;
  for (int64_t i = threadNumber(); i < plan.tensor_count; i += threadCount()) {
    if (tables.tensors[i].active != 0) prepareTensor(plan, tables.tensors[i]);
  }
}

namespace {

// The functions below are called by all threads of a block, for one tensor.

// A tensor's partial sums to one, in every thread.
FETTLE_DEVICE double reduceBlock(const RuleShape& shape, double* sums, int64_t count) {
  return shape.maximum ? blockLargestOf(sums, count) : blockTree(sums, count);
}

// The partial sums of each row to one: a thread per row, or the block per row where rows are long.
FETTLE_DEVICE void reduceEachRow(const RuleShape& shape, double* chunks, int64_t perRow, int64_t rows, double* of,
                                 double* scratch) {
  constexpr int64_t few = 64;
  if (perRow > few) {
    for (int64_t row = 0; row < rows; row++) {
      const double sum = reduceBlock(shape, chunks + row * perRow, perRow);
      if (threadIdx.x == 0) scratch[row] = of[row] = sum;
    }
  } else {
    for (int64_t row = int64_t(threadIdx.x); row < rows; row += int64_t(blockDim.x)) {
      double* const own = chunks + row * perRow;
      scratch[row] = of[row] = shape.maximum ? largestOf(own, perRow) : treeSum(own, perRow);
    }
  }
  __syncthreads();
}

FETTLE_DEVICE void rowSums(const fettle_plan& plan, int64_t at, double* sums) {
  FETTLE_UNROLL
  for (int k = 0; k < FETTLE_MAX_SUMS; k++) sums[k] = plan.row_sums[k * plan.row_count + at];
}

// The sums of a tensor whose rule reduces by rows: each row's first, then over the rows. Leaves the rows' sums in the
// plan and answers the largest score of a row.
__device__ double reduceRows(const fettle_plan& plan, const fettle_tensor& tensor, const RuleShape& shape, int64_t rule,
                             const StepContext& context, double* sums) {
  double* const scratch = plan.row_sums + FETTLE_MAX_SUMS * plan.row_count + tensor.first_row;
  FETTLE_UNROLL
  for (int k = 0; k < FETTLE_MAX_SUMS; k++) {
    if (k >= shape.sums) continue;
    double* const of = plan.row_sums + k * plan.row_count + tensor.first_row;
    double* const chunks = plan.sums + k * plan.chunk_count + tensor.first_chunk;
    reduceEachRow(shape, chunks, chunksPerRow(tensor), tensor.rows, of, scratch);
    sums[k] = reduceBlock(shape, scratch, tensor.rows);
  }
  double largest = 0.0;
  for (int64_t row = int64_t(threadIdx.x); row < tensor.rows; row += int64_t(blockDim.x)) {
    double own[FETTLE_MAX_SUMS];
    rowSums(plan, tensor.first_row + row, own);
    largest = largerSum(largest, scoreBy(rule, context, own));
  }
  return blockLargest(largest);
}

// The coefficients of each row.
__device__ void combineRows(const fettle_plan& plan, const fettle_tensor& tensor, int64_t rule, int gather,
                            const StepContext& context) {
  for (int64_t row = int64_t(threadIdx.x); row < tensor.rows; row += int64_t(blockDim.x)) {
    const int64_t at = tensor.first_row + row;
    double sums[FETTLE_MAX_SUMS];
    rowSums(plan, at, sums);
    float coefficients[FETTLE_MAX_ROW_COEFFICIENTS] = {};
    double* const state = tensor.row_state == nullptr ? nullptr : tensor.row_state + row;
    rowBy(rule, gather, context, tensor.coefficients, {sums, state, coefficients});
    FETTLE_UNROLL
    for (int k = 0; k < FETTLE_MAX_ROW_COEFFICIENTS; k++)
      plan.row_coefficients[k * plan.row_count + at] = coefficients[k];
  }
}

__device__ void combineTensor(const fettle_plan& plan, fettle_tensor& tensor, const RuleShape& shape, int64_t rule,
                              int gather) {
  StepContext context = contextOf(plan, tensor);
  double sums[FETTLE_MAX_SUMS] = {};
  if (shape.rowwise) {
    context.largestScore = reduceRows(plan, tensor, shape, rule, context, sums);
  } else {
    FETTLE_UNROLL
    for (int k = 0; k < FETTLE_MAX_SUMS; k++) {
      if (k >= shape.sums) continue;
      sums[k] = reduceBlock(shape, plan.sums + k * plan.chunk_count + tensor.first_chunk, chunksOf(tensor));
    }
  }
  if (threadIdx.x == 0) combineBy(rule, gather, context, sums, tensor.coefficients);
  if (shape.rowwise) {
    __syncthreads();
    combineRows(plan, tensor, rule, gather, context);
  }
}

}  // namespace

__global__ void __launch_bounds__(mostThreads) combine(Tables tables, int gather) {
  const fettle_plan& plan = *tables.plan;
  if (stops(plan)) return;
  for (int64_t i = int64_t(blockIdx.x); i < plan.tensor_count; i += int64_t(gridDim.x)) {
    fettle_tensor& tensor = tables.tensors[i];
    if (tensor.active == 0) continue;
    const int64_t rule = plan.groups[tensor.group].rule;
    const RuleShape shape = shapeOf(rule);
    if (gather < shape.gathers) combineTensor(plan, tensor, shape, rule, gather);
    // The rows are told the scalars of the step that is being taken: nobody may still be reading them.
    __syncthreads();
    if (threadIdx.x == 0 && gather == plan.gathers - 1) commit(tensor);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
