// The serial part of a step, in double: clip factors, averages' factors, coefficients. The same on CPU and device.
#pragma once

#include "core/math.h"
#include "core/rule.h"
#include "core/tree.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN int64_t chunksPerRow(const fettle_tensor& tensor) {
  return (tensor.row_length + FETTLE_CHUNK - 1) / FETTLE_CHUNK;
}

FETTLE_FN int64_t chunksOf(const fettle_tensor& tensor) { return tensor.rows * chunksPerRow(tensor); }

// Where a chunk's elements lie: a row starts the chunks anew.
struct ChunkSpan {
  int64_t row, first, last;
};

FETTLE_FN ChunkSpan spanOf(const fettle_tensor& tensor, int64_t chunk) {
  const int64_t perRow = chunksPerRow(tensor);
  const int64_t row = tensor.rows == 1 ? 0 : chunk / perRow;
  const int64_t first = row * tensor.row_length + (chunk - row * perRow) * FETTLE_CHUNK;
  const int64_t end = (row + 1) * tensor.row_length;
  return {row, first, first + FETTLE_CHUNK < end ? first + FETTLE_CHUNK : end};
}

// min(1, maxNorm / (norm + 1e-6)) as PyTorch has it; an infinite norm gives 0, a NaN gives NaN.
FETTLE_FN double clipFactor(double norm, double maxNorm) {
  const double factor = maxNorm / (norm + 1e-6);
  return factor > 1.0 ? 1.0 : factor;
}

// The factor a of average <- a * average + (1 - a) * parameter in iteration step - 1, counted from 0.
FETTLE_FN double averageKeep(const fettle_average& average, int64_t step) {
  const double iteration = double(step - 1);
  const double decay = average.decay;
  const double ratio = average.warmup_ratio;
  switch (average.warmup) {
    case FETTLE_WARMUP_HALF_LIFE: {
      const double ramp = powerOf(0.5, 1.0 / (ratio * double(step)));
      return ramp < decay ? ramp : decay;
    }
    case FETTLE_WARMUP_POWER:
      return powerOf(1.0 - 1.0 / double(step), decay);
    case FETTLE_WARMUP_UNIFORM: {
      const int64_t since = step - 1 - int64_t(average.warmup_steps);
      const int64_t moves = since > 0 ? since / average.interval : 0;
      const double before = double(moves);
      return before / (before + 1.0);
    }
    default:
      break;
  }
  if (average.warmup == FETTLE_WARMUP_NONE || average.warmup == FETTLE_WARMUP_LOOKAHEAD) return decay;
  if (iteration > average.warmup_steps) return decay;
  if (average.warmup == FETTLE_WARMUP_CONSTANT) return decay * ratio;
  const double left = average.warmup_steps > 0.0 ? 1.0 - iteration / average.warmup_steps : 0.0;
  if (average.warmup == FETTLE_WARMUP_EXPONENTIAL) return decay * powerOf(ratio, left);
  return decay * (1.0 - left * (1.0 - ratio));
}

// Whether the average moves in a tensor's step, counted from 1.
FETTLE_FN bool averageMoves(const fettle_average& average, int64_t step) {
  if (average.warmup != FETTLE_WARMUP_UNIFORM) return step % average.interval == 0;
  const int64_t since = step - 1 - int64_t(average.warmup_steps);
  return since >= 0 && since % average.interval == 0;
}

// What the gradient pass needs of a tensor.
FETTLE_FN void preparePrologue(const fettle_plan& plan, fettle_tensor& tensor) {
  tensor.unscale = float(1.0 / plan.loss_scale);
  tensor.clip_value = float(plan.clip_value);
}

// The square of a norm that clipping by tensor leaves of it.
FETTLE_FN double clippedSquare(const fettle_plan& plan, double square) {
  const double factor = clipFactor(rootOf(square), plan.max_norm);
  return factor * factor * square;
}

// The global norms, from each tensor's sum of squares: one halving tree over the tensors of the plan.
FETTLE_FN void finishGradientPass(fettle_plan& plan) {
  for (int64_t i = 0; i < plan.tensor_count; i++) plan.tensor_sums[i] = plan.tensors[i].gradient_square;
  plan.gradient_norm = rootOf(treeSum(plan.tensor_sums, plan.tensor_count));
  plan.rule_norm = plan.gradient_norm;
  if (plan.clip_kind == FETTLE_CLIP_GLOBAL) {
    plan.rule_norm = plan.gradient_norm * clipFactor(plan.gradient_norm, plan.max_norm);
  } else if (plan.clip_kind == FETTLE_CLIP_TENSOR) {
    for (int64_t i = 0; i < plan.tensor_count; i++) {
      plan.tensor_sums[i] = clippedSquare(plan, plan.tensors[i].gradient_square);
    }
    plan.rule_norm = rootOf(treeSum(plan.tensor_sums, plan.tensor_count));
  }
}

// Whether the plan's policy ends the step once the gradient pass is complete.
FETTLE_FN bool stops(const fettle_plan& plan) { return plan.non_finite != 0 && plan.non_finite_policy != FETTLE_PASS; }

// What the pipeline's pieces need of a tensor in the step that is being prepared.
FETTLE_FN void preparePipeline(const fettle_plan& plan, fettle_tensor& tensor) {
  tensor.clip_factor = 1.0f;
  if (plan.clip_kind == FETTLE_CLIP_TENSOR) {
    tensor.clip_factor = float(clipFactor(rootOf(tensor.gradient_square), plan.max_norm));
  } else if (plan.clip_kind == FETTLE_CLIP_GLOBAL) {
    tensor.clip_factor = float(clipFactor(plan.gradient_norm, plan.max_norm));
  }
  const int64_t step = tensor.step + 1;
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) {
    tensor.average_due[k] = 0.0f;
    if (tensor.average[k].data == nullptr) continue;
    const fettle_average& average = plan.average[k];
    const double keep = averageKeep(average, step);
    tensor.average_keep[k] = float(keep);
    tensor.average_take[k] = float(1.0 - keep);
    const float moved = average.warmup == FETTLE_WARMUP_LOOKAHEAD ? 2.0f : 1.0f;
    if (averageMoves(average, step)) tensor.average_due[k] = moved;
  }
}

// What the rule is told of a tensor in the step that is being prepared.
FETTLE_FN StepContext contextOf(const fettle_plan& plan, fettle_tensor& tensor) {
  StepContext context;
  context.hyper = plan.groups[tensor.group].hyper;
  context.step = tensor.step + 1;
  context.gradientNorm = plan.rule_norm;
  context.elements = double(tensor.elements);
  context.rows = double(tensor.rows);
  context.rowLength = double(tensor.row_length);
  context.rank = tensor.rank;
  context.largestScore = 0.0;
  context.scalars = tensor.next_scalars;
  return context;
}

// Makes a prepared step count: called once every kernel of the step is done.
FETTLE_FN void commit(fettle_tensor& tensor) {
  tensor.step += 1;
  for (int k = 0; k < FETTLE_MAX_SCALARS; k++) tensor.scalars[k] = tensor.next_scalars[k];
}

}  // namespace FETTLE_TIER
}  // namespace fettle
