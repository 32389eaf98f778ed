// The update: one kernel per rule, for any number of tensors in any formats with any epilogues.
//
//   load -> decode -> prologue -> rule -> mask, average, copy -> encode -> store
//
// A block takes a chunk at a time and a thread a quad; nothing is shared between threads but the tensor's line of the
// table, so results do not depend on the launch's shape. Every array is read and written once.
#pragma once

#include "core/prologue.h"
#include "core/rule_calls.h"
#include "quad.cuh"
#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

// A quad of every array that an update reads, as stored.
template <class R>
struct Loaded {
  Raw parameter;
  Raw gradient;
  Raw state[R::states + 1];
  Raw average;  // number 0: others are loaded when their turn comes, as few steps have them
};

// What a rule that reduces by rows has formed for the row of this chunk.
struct RowNumbers {
  float value[FETTLE_MAX_ROW_COEFFICIENTS];
};

template <class R>
FETTLE_DEVICE RowNumbers rowNumbersOf(const fettle_plan& plan, const fettle_tensor& tensor, int64_t row) {
  RowNumbers numbers = {};
  if constexpr (R::rowwise) {
    FETTLE_UNROLL
    for (int k = 0; k < FETTLE_MAX_ROW_COEFFICIENTS; k++) {
      numbers.value[k] = plan.row_coefficients[k * plan.row_count + tensor.first_row + row];
    }
  }
  return numbers;
}

template <class R>
FETTLE_DEVICE typename R::Coefficients coefficientsOf(const fettle_tensor& tensor, const RowNumbers& row) {
  typename R::Coefficients c;
  memcpy(&c, tensor.coefficients, sizeof c);
  if constexpr (R::rowwise) R::enter(row.value, c);
  return c;
}

FETTLE_DEVICE bool averages(const fettle_tensor& tensor, int k) {
  return tensor.average[k].data != nullptr && tensor.average_due[k] != 0.0f;
}

template <class R>
FETTLE_DEVICE void load(const fettle_tensor& tensor, int64_t element, Part part, Loaded<R>& loaded) {
  loaded.parameter = loadRaw(tensor.parameter, element, part);
  loaded.gradient = loadRaw(tensor.gradient, element, part);
  FETTLE_UNROLL
  for (int k = 0; k < R::states; k++) loaded.state[k] = loadRaw(tensor.state[k], element, part);
  loaded.average = averages(tensor, 0) ? loadRaw(tensor.average[0], element, part) : Raw{};
}

// What a step leaves of a state where the mask prunes.
FETTLE_DEVICE void maskState(const fettle_plan& plan, unsigned kept, const Quad& before, Quad& state) {
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    const float pruned = plan.masked_states == FETTLE_MASKED_FREEZE ? before.value[k] : 0.0f;
    state.value[k] = (kept >> k & 1u) != 0 ? state.value[k] : pruned;
  }
}

// The rule's arithmetic.
template <class R>
FETTLE_DEVICE void updateQuad(const typename R::Coefficients& c, const Prologue& prologue, Quad& p, const Quad& g,
                              Quad* state) {
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    float s[R::states + 1];
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) s[j] = state[j].value[k];
    R::update(c, p.value[k], prologue.apply(g.value[k]), s);
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) state[j].value[k] = s[j];
  }
}

// Everything from decode to store for one quad, but for the states: decodeState(j) answers what is loaded of them, and
// what they become is left in `state`. store(operand, purpose, quad) puts the rest away.
template <class R, class DecodeState, class Store>
FETTLE_DEVICE void finishBut(const fettle_plan& plan, const fettle_tensor& tensor, const RowNumbers& row,
                             int64_t element, Part part, const Loaded<R>& loaded, DecodeState decodeState, Store store,
                             Quad* state) {
  Quad p = decode(loaded.parameter, tensor.parameter.dtype);
  Quad g = decode(loaded.gradient, tensor.gradient.dtype);
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) state[j] = decodeState(j);
  const unsigned kept = tensor.mask == nullptr ? 0 : keptBits(tensor.mask, element, part);
  if (hides(plan, tensor)) {
    applyMask(kept, p);
    applyMask(kept, g);
  }
  updateQuad<R>(coefficientsOf<R>(tensor, row), prologueOf(tensor), p, g, state);
  if (tensor.mask != nullptr) applyMask(kept, p);
  if (hides(plan, tensor)) {
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) maskState(plan, kept, decodeState(j), state[j]);
  }
  const auto moveAverage = [&](int j, const Raw& raw) {
    Quad average = decode(raw, tensor.average[j].dtype);
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) {
      average.value[k] = movingAverage(average.value[k], p.value[k], tensor.average_keep[j], tensor.average_take[j]);
    }
    store(tensor.average[j], roundAverage(j), average);
    if (tensor.average_due[j] == 2.0f) {
      p = average;
      if (tensor.mask != nullptr) applyMask(kept, p);
    }
  };
  if (averages(tensor, 0)) moveAverage(0, loaded.average);
  for (int j = 1; j < FETTLE_MAX_AVERAGES; j++) {
    if (averages(tensor, j)) moveAverage(j, loadRaw(tensor.average[j], element, part));
  }
  if (tensor.copy.data != nullptr) store(tensor.copy, roundCopy, p);
  store(tensor.parameter, roundParameter, p);
}

template <class R>
FETTLE_DEVICE void finish(const fettle_plan& plan, const fettle_tensor& tensor, const RowNumbers& row, int64_t element,
                          Part part, const Loaded<R>& loaded) {
  Quad state[R::states + 1];
  const auto decodeState = [&](int j) { return decode(loaded.state[j], tensor.state[j].dtype); };
  const auto store = [&](const fettle_operand& operand, int purpose, const Quad& quad) {
    storeQuad(plan, tensor, operand, purpose, element, part, quad);
  };
  finishBut<R>(plan, tensor, row, element, part, loaded, decodeState, store, state);
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) store(tensor.state[j], roundState + j, state[j]);
}

// One chunk in any formats. The tensor's line stays in shared memory and is read as it is needed: that is cheaper than
// the registers it would take.
// A span may start and end within a quad, where rows are no multiple of four long; two chunks then share that quad.
template <class R>
FETTLE_DEVICE void applyChunk(const fettle_plan& plan, const fettle_tensor& tensor, const RowNumbers& row,
                              const ChunkSpan& span) {
  const int64_t start = span.first / quadElements * quadElements;
  const int64_t stride = int64_t(blockDim.x) * quadElements;
  for (int64_t at = start + int64_t(threadIdx.x) * quadElements; at < span.last; at += stride) {
    const Part part = {at < span.first ? int(span.first - at) : 0,
                       span.last - at < quadElements ? int(span.last - at) : quadElements};
    Loaded<R> loaded;
    load<R>(tensor, at, part, loaded);
    finish<R>(plan, tensor, row, at, part, loaded);
  }
}

// Whether a tensor can take the short way: f32 throughout, no epilogue, addresses fit for 16-byte accesses.
template <class R>
FETTLE_DEVICE bool isPlain(const fettle_tensor& tensor) {
  bool plain = tensor.mask == nullptr && tensor.copy.data == nullptr;
  FETTLE_UNROLL
  for (int k = 0; k < FETTLE_MAX_AVERAGES; k++) plain = plain && tensor.average[k].data == nullptr;
  plain = plain && tensor.parameter.dtype == FETTLE_F32 && aligned(tensor.parameter.data, 16);
  plain = plain && tensor.gradient.dtype == FETTLE_F32 && aligned(tensor.gradient.data, 16);
  FETTLE_UNROLL
  for (int k = 0; k < R::states; k++) {
    plain = plain && tensor.state[k].dtype == FETTLE_F32 && aligned(tensor.state[k].data, 16);
  }
  return plain;
}

FETTLE_DEVICE Quad loadPlain(const float* from) {
  const float4 quad = loadGlobal(reinterpret_cast<const float4*>(from));
  return {{quad.x, quad.y, quad.z, quad.w}};
}

FETTLE_DEVICE void storePlain(float* to, const Quad& quad) {
  const float4 values = {quad.value[0], quad.value[1], quad.value[2], quad.value[3]};
  storeGlobal(reinterpret_cast<float4*>(to), values);
}

// A plain chunk of whole quads. The addresses stay in registers.
template <class R>
FETTLE_DEVICE void applyPlain(const fettle_tensor& tensor, const RowNumbers& row, int64_t first, int n) {
  const typename R::Coefficients c = coefficientsOf<R>(tensor, row);
  const Prologue prologue = prologueOf(tensor);
  float* const parameter = static_cast<float*>(tensor.parameter.data) + first;
  const float* const gradient = static_cast<const float*>(tensor.gradient.data) + first;
  float* state[R::states + 1];
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) state[j] = static_cast<float*>(tensor.state[j].data) + first;
  for (int at = int(threadIdx.x) * quadElements; at < n; at += int(blockDim.x) * quadElements) {
    Quad p = loadPlain(parameter + at);
    const Quad g = loadPlain(gradient + at);
    Quad s[R::states + 1];
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) s[j] = loadPlain(state[j] + at);
    updateQuad<R>(c, prologue, p, g, s);
    storePlain(parameter + at, p);
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) storePlain(state[j] + at, s[j]);
  }
}

// Copies a tensor's line of the table into shared memory, eight bytes a thread. The block waits once; two lines in
// turn make a second wait needless: nobody writes a line that a slower warp may still read.
FETTLE_DEVICE void shareLine(const fettle_tensor& from, fettle_tensor& to) {
  static_assert(sizeof(fettle_tensor) % sizeof(uint64_t) == 0, "a line is whole words");
  constexpr int words = int(sizeof(fettle_tensor) / sizeof(uint64_t));
  const uint64_t* source = reinterpret_cast<const uint64_t*>(&from);
  uint64_t* target = reinterpret_cast<uint64_t*>(&to);
  for (int i = int(threadIdx.x); i < words; i += int(blockDim.x)) target[i] = source[i];
  __syncthreads();
}

// No tensor has this number: plan_open sees to it.
constexpr uint32_t noTensor = 0xFFFFFFFFu;

// How many blocks a multiprocessor is to hold: that bounds a thread's registers. Enough loads must be in flight to hide
// the memory's latency, also for 16-bit formats; a rule with more arrays has more of them per thread.
template <class R>
constexpr int residentBlocks = R::states > 2 ? 3 : 4;

template <class R>
__global__ void __launch_bounds__(mostThreads, residentBlocks<R>) apply(Tables tables, Span units) {
  __shared__ fettle_tensor lines[2];
  const fettle_plan& plan = *tables.plan;
  if (stops(plan)) return;
  int turn = 0;
  uint32_t present = noTensor;
  bool plain = false;
  for (int64_t at = units.first + int64_t(blockIdx.x); at < units.last; at += int64_t(gridDim.x)) {
    const Unit unit = tables.units[at];
    if (unit.tensor != present) {
      present = unit.tensor;
      turn ^= 1;
      shareLine(tables.tensors[present], lines[turn]);
      plain = isPlain<R>(lines[turn]);
    }
    const fettle_tensor& tensor = lines[turn];
    if (tensor.active == 0) continue;
    const ChunkSpan span = spanOf(tensor, int64_t(unit.chunk));
    const RowNumbers row = rowNumbersOf<R>(plan, tensor, span.row);
    if (plain && span.first % quadElements == 0 && span.last % quadElements == 0) {
      applyPlain<R>(tensor, row, span.first, int(span.last - span.first));
    } else {
      applyChunk<R>(plan, tensor, row, span);
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
