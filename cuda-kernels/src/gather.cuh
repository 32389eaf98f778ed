// The reading passes: a rule's gathers, and the pass over the gradients. A warp forms the partial sums of a chunk.
#pragma once

#include "core/prologue.h"
#include "blocks.cuh"
#include "core/rule_calls.h"
#include "quad.cuh"
#include "reduce.cuh"
#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int rowElements = reductionLanes;

// Rows that a thread of a gather has in flight at once.
constexpr int rowsInFlight = 2;

// The number of this warp among all warps of the grid, and how many there are.
FETTLE_DEVICE int64_t warpNumber() {
  const unsigned warps = blockDim.x / warpThreads;
  return int64_t(blockIdx.x) * warps + threadIdx.x / warpThreads;
}

FETTLE_DEVICE int64_t warpCount() { return int64_t(gridDim.x) * (blockDim.x / warpThreads); }

// Adds a * b to a lane. A product of two floats is exact in double, so fma and multiply-add agree.
FETTLE_DEVICE void accumulate(double& lane, float a, float b) { lane = ::fma(double(a), double(b), lane); }

// Takes a term into a lane, as the rule's gathers do it.
template <class R>
FETTLE_DEVICE void take(double& lane, const Terms<float>& terms, int j) {
  if constexpr (R::maximum) {
    lane = largerSum(lane, double(terms.a[j]));
  } else {
    accumulate(lane, terms.a[j], terms.b[j]);
  }
}

template <bool blocks>
FETTLE_DEVICE Quad decodeState(const fettle_tensor& tensor, const fettle_operand& state, const ChunkSpan& span, int at,
                               Part part, const Raw& raw) {
  if constexpr (blocks) {
    if (isBlocked(state)) return decodeBlocked(state, placeOf(tensor, state, span), raw, at, part);
  }
  return decode(raw, state.dtype);
}

// One chunk of a rule's gather: sum k of the chunk is left in sums[k] of the first thread. `blocks`: whether states may
// be stored by blocks.
template <class R, bool blocks>
FETTLE_DEVICE void gatherChunk(const fettle_plan& plan, const fettle_tensor& tensor, int gather, const ChunkSpan& span,
                               double* sums) {
  typename R::Coefficients c;
  memcpy(&c, tensor.coefficients, sizeof c);
  const Prologue prologue = prologueOf(tensor);
  const int64_t first = span.first;
  const int n = int(span.last - first);
  double lane[R::sums][lanesPerThread] = {};
  const int thread = int(threadIdx.x % warpThreads) * quadElements;
  for (int row = 0; row < n; row += rowsInFlight * rowElements) {
    Raw p[rowsInFlight], g[rowsInFlight], s[rowsInFlight][R::states + 1];
    FETTLE_UNROLL
    for (int f = 0; f < rowsInFlight; f++) {
      const int at = row + f * rowElements + thread;
      const Part part = partIn(at, n);
      p[f] = loadRaw(tensor.parameter, first + at, part);
      g[f] = loadRaw(tensor.gradient, first + at, part);
      FETTLE_UNROLL
      for (int j = 0; j < R::states; j++) s[f][j] = loadState<blocks>(tensor, tensor.state[j], span, at, part);
    }
    FETTLE_UNROLL
    for (int f = 0; f < rowsInFlight; f++) {
      const int at = row + f * rowElements + thread;
      const Part part = partIn(at, n);
      Quad parameter = decode(p[f], tensor.parameter.dtype);
      Quad gradient = decode(g[f], tensor.gradient.dtype);
      Quad state[R::states + 1];
      FETTLE_UNROLL
      for (int j = 0; j < R::states; j++) {
        state[j] = decodeState<blocks>(tensor, tensor.state[j], span, at, part, s[f][j]);
      }
      if (hides(plan, tensor)) {
        const unsigned kept = keptBits(tensor.mask, first + at, part);
        applyMask(kept, parameter);
        applyMask(kept, gradient);
        FETTLE_UNROLL
        for (int j = 0; j < R::states; j++) applyMask(kept, state[j]);
      }
      FETTLE_UNROLL
      for (int k = 0; k < quadElements; k++) {
        float one[R::states + 1];
        FETTLE_UNROLL
        for (int j = 0; j < R::states; j++) one[j] = state[j].value[k];
        Terms<float> terms;
        R::gather(gather, c, parameter.value[k], prologue.apply(gradient.value[k]), one, terms);
        FETTLE_UNROLL
        for (int j = 0; j < R::sums; j++) {
          if (part.holds(k)) take<R>(lane[j][k], terms, j);
        }
      }
    }
  }
  FETTLE_UNROLL
  for (int j = 0; j < R::sums; j++) sums[j] = R::maximum ? warpLargest(lane[j]) : warpTree(lane[j]);
}

template <class R, bool blocks>
__global__ void __launch_bounds__(mostThreads) gather(Tables tables, Span units, int gather) {
  const fettle_plan& plan = *tables.plan;
  if (stops(plan)) return;
  const int64_t step = warpCount();
  for (int64_t at = units.first + warpNumber(); at < units.last; at += step) {
    const Unit unit = tables.units[at];
    const fettle_tensor& tensor = tables.tensors[unit.tensor];
    if (tensor.active == 0) continue;
    const int64_t chunk = int64_t(unit.chunk);
    double sums[R::sums];
    gatherChunk<R, blocks>(plan, tensor, gather, spanOf(tensor, chunk), sums);
    if (threadIdx.x % warpThreads != 0) continue;
    for (int j = 0; j < R::sums; j++) plan.sums[j * plan.chunk_count + tensor.first_chunk + chunk] = sums[j];
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
