// The update of tensors with states that are stored by blocks: apply.cuh's pipeline, a set of 256 elements per warp.
//
// A block of up to 256 values belongs to one warp: its threads hold the new states in registers, find the largest
// magnitude by shuffles and encode. Longer blocks take the rule twice over the chunk: for the maxima, which the warps leave
// in shared memory, and for the result. A maximum is exact, so nothing depends on the order or on the launch's shape.
// What codes stand for is looked up in shared memory, where each state's format has a table.
#pragma once

#include "apply.cuh"
#include "blocks.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int setQuads = 2;
constexpr int quadsApart = warpThreads * quadElements;
constexpr int setElements = setQuads * quadsApart;
constexpr int setShift = 8;
static_assert(setElements == 1 << setShift, "a set is a block of 256");
constexpr int bookSize = 256;

// What the threads of a block share.
template <class R>
struct BlocksShared {
  fettle_tensor tensor;
  float book[R::states][bookSize];
  // Of blocks longer than a set, by their number in the chunk.
  unsigned largest[R::states][FETTLE_CHUNK / setElements];
};

// Where a warp works.
struct Site {
  const fettle_plan& plan;
  const fettle_tensor& tensor;
  RowNumbers row;
  ChunkSpan span;
  int n;
};

FETTLE_DEVICE int laneOffset(int at, int q) {
  return at + q * quadsApart + int(threadIdx.x % warpThreads) * quadElements;
}

// A quad that may start anywhere, to a format whose random words belong to quads that start at multiples of four.
FETTLE_DEVICE_CALLED void storeSkewed(const fettle_plan& plan, const fettle_tensor& tensor,
                                      const fettle_operand& operand, int purpose, int64_t element, Part part,
                                      Quad quad) {
  const int skew = int(element % quadElements);
  Quad low = {};
  Quad high = {};
  for (int k = 0; k < quadElements; k++) {
    for (int j = 0; j < quadElements; j++) {
      if (j == k + skew) low.value[j] = quad.value[k];
      if (j == k + skew - quadElements) high.value[j] = quad.value[k];
    }
  }
  const int last = part.to + skew;
  const Part lowPart = {skew, last < quadElements ? last : quadElements};
  const Part highPart = {0, last > quadElements ? last - quadElements : 0};
  storeQuad(plan, tensor, operand, purpose, element - skew, lowPart, low);
  storeQuad(plan, tensor, operand, purpose, element - skew + quadElements, highPart, high);
}

FETTLE_DEVICE void storeAnywhere(const Site& site, const fettle_operand& operand, int purpose, int64_t element,
                                 Part part, const Quad& quad) {
  if (part.to == 0) return;
  if (element % quadElements != 0 && operand.rounding == FETTLE_STOCHASTIC && operand.dtype != FETTLE_F32) {
    storeSkewed(site.plan, site.tensor, operand, purpose, element, part, quad);
  } else {
    storeQuad(site.plan, site.tensor, operand, purpose, element, part, quad);
  }
}

template <class R>
FETTLE_DEVICE void loadSet(const Site& site, int64_t element, int offset, Part part, Loaded<R>& loaded) {
  const fettle_tensor& tensor = site.tensor;
  loaded.parameter = loadRaw(tensor.parameter, element, part);
  loaded.gradient = loadRaw(tensor.gradient, element, part);
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) {
    loaded.state[j] = loadState<true>(tensor, tensor.state[j], site.span, offset, part);
  }
  loaded.average = averages(tensor, 0) ? loadRaw(tensor.average[0], element, part) : Raw{};
}

FETTLE_DEVICE Quad lookUpCodes(const BlockPlace& place, const float* book, const Raw& raw, int offset, Part part) {
  Quad quad = {};
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    if (part.holds(k)) quad.value[k] = book[codeOf(place, raw, k)] * scaleAt(place, raw, offset, k);
  }
  return quad;
}

// The pipeline over a set, from element `at` of the chunk on, up to the new states; what does not exist is 0 there.
// `writes`: whether results are stored, or only states formed.
template <class R>
FETTLE_DEVICE void updateSet(const Site& site, const BlocksShared<R>& shared, int at, bool writes,
                             Quad (*state)[R::states]) {
  const fettle_tensor& tensor = site.tensor;
  Loaded<R> loaded[setQuads];
  FETTLE_UNROLL
  for (int q = 0; q < setQuads; q++) {
    const int offset = laneOffset(at, q);
    loadSet<R>(site, site.span.first + offset, offset, partIn(offset, site.n), loaded[q]);
  }
  FETTLE_UNROLL
  for (int q = 0; q < setQuads; q++) {
    const int offset = laneOffset(at, q);
    const int64_t element = site.span.first + offset;
    const Part part = partIn(offset, site.n);
    const auto decodeState = [&](int j) {
      const fettle_operand& operand = tensor.state[j];
      if (!isBlocked(operand)) return decode(loaded[q].state[j], operand.dtype);
      return lookUpCodes(placeOf(tensor, operand, site.span), shared.book[j], loaded[q].state[j], offset, part);
    };
    const auto store = [&](const fettle_operand& operand, int purpose, const Quad& quad) {
      if (writes) storeAnywhere(site, operand, purpose, element, part, quad);
    };
    finishBut<R>(site.plan, tensor, site.row, element, part, loaded[q], decodeState, store, state[q]);
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) {
      if (!isBlocked(tensor.state[j])) {
        store(tensor.state[j], roundState + j, state[q][j]);
      } else {
        FETTLE_UNROLL
        for (int k = 0; k < quadElements; k++) state[q][j].value[k] = part.holds(k) ? state[q][j].value[k] : 0.0f;
      }
    }
  }
}

// Encodes state j of a set. Blocks longer than it have their maxima in `longest`, and their scales are left to others.
FETTLE_DEVICE void encodeSet(const Site& site, const fettle_operand& operand, const BlockPlace& place, int at,
                             const unsigned* longest, const Quad& first, const Quad& second) {
  const Quad* const quads[setQuads] = {&first, &second};
  const int shift = place.shift;
  if (shift < 2) {
    FETTLE_UNROLL
    for (int q = 0; q < setQuads; q++) {
      const int offset = laneOffset(at, q);
      storeShortBlocks(operand.dtype, place, offset, partIn(offset, site.n), site.n, *quads[q]);
    }
    return;
  }
  unsigned largest[setQuads] = {largestIn(first), largestIn(second)};
  if (shift > setShift) {
    largest[0] = largest[1] = longest[at >> shift];
  } else if (shift == setShift) {
    largest[0] = largest[1] = largestOfLanes(largest[0] > largest[1] ? largest[0] : largest[1], warpThreads);
  } else {
    FETTLE_UNROLL
    for (int q = 0; q < setQuads; q++) largest[q] = largestOfLanes(largest[q], 1 << (shift - 2));
  }
  FETTLE_UNROLL
  for (int q = 0; q < setQuads; q++) {
    const int offset = laneOffset(at, q);
    const Part part = partIn(offset, site.n);
    if (part.to == 0) continue;
    const int block = offset >> shift;
    const bool whole = (block + 1) << shift <= site.n;
    const Encoded encoded = encodeQuad(operand.dtype, floatOf(largest[q]), whole, *quads[q]);
    storeCodeWord(place, offset, part, encoded.word);
    if (shift <= setShift && offset == block << shift) storeGlobal(place.scales + block, encoded.scale);
  }
}

FETTLE_DEVICE bool isLong(const fettle_operand& operand) {
  return isBlocked(operand) && operand.block_size > setElements;
}

template <class R>
FETTLE_DEVICE bool hasLongBlocks(const fettle_tensor& tensor) {
  bool any = false;
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) any = any || isLong(tensor.state[j]);
  return any;
}

// The first way over a chunk with long blocks: the maxima of their new values. The whole block of threads calls this.
template <class R>
FETTLE_DEVICE void findLargest(const Site& site, BlocksShared<R>& shared, int firstSet, int setStep) {
  unsigned* const all = &shared.largest[0][0];
  constexpr int count = R::states * (FETTLE_CHUNK / setElements);
  for (int i = int(threadIdx.x); i < count; i += int(blockDim.x)) all[i] = 0;
  __syncthreads();
  for (int at = firstSet; at < site.n; at += setStep) {
    Quad state[setQuads][R::states];
    updateSet<R>(site, shared, at, false, state);
    FETTLE_UNROLL
    for (int j = 0; j < R::states; j++) {
      if (!isLong(site.tensor.state[j])) continue;
      const unsigned a = largestIn(state[0][j]);
      const unsigned b = largestIn(state[1][j]);
      const unsigned largest = largestOfLanes(a > b ? a : b, warpThreads);
      const int shift = placeOf(site.tensor, site.tensor.state[j], site.span).shift;
      if (threadIdx.x % warpThreads == 0) atomicMax(&shared.largest[j][at >> shift], largest);
    }
  }
  __syncthreads();
}

// Stores the scales of a chunk's long blocks, once nobody needs the old ones any more.
template <class R>
FETTLE_DEVICE void storeLongScales(const Site& site, const BlocksShared<R>& shared) {
  __syncthreads();
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) {
    const fettle_operand& operand = site.tensor.state[j];
    if (!isLong(operand)) continue;
    const BlockPlace place = placeOf(site.tensor, operand, site.span);
    for (int block = int(threadIdx.x); block << place.shift < site.n; block += int(blockDim.x)) {
      const bool whole = (block + 1) << place.shift <= site.n;
      const Encoded encoded = encodeQuad(operand.dtype, floatOf(shared.largest[j][block]), whole, Quad{});
      storeGlobal(place.scales + block, encoded.scale);
    }
  }
  __syncthreads();
}

// Copies a tensor's line and writes the tables of its formats. The whole block of threads calls this.
template <class R>
FETTLE_DEVICE void shareTensor(const fettle_tensor& from, BlocksShared<R>& shared) {
  __syncthreads();
  shareLine(from, shared.tensor);
  FETTLE_UNROLL
  for (int j = 0; j < R::states; j++) {
    const fettle_operand& operand = shared.tensor.state[j];
    if (!isBlocked(operand)) continue;
    const int codes = bitsOfCode(operand.dtype) == 8 ? 256 : 16;
    for (int code = int(threadIdx.x); code < codes; code += int(blockDim.x)) {
      shared.book[j][code] = decodeCode(operand.dtype, code);
    }
  }
  __syncthreads();
}

template <class R>
__global__ void __launch_bounds__(mostThreads, 2) applyBlocks(Tables tables, Span units) {
  __shared__ BlocksShared<R> shared;
  const fettle_plan& plan = *tables.plan;
  if (stops(plan)) return;
  const fettle_tensor& tensor = shared.tensor;
  const int firstSet = int(threadIdx.x / warpThreads) * setElements;
  const int setStep = int(blockDim.x / warpThreads) * setElements;
  uint32_t present = noTensor;
  for (int64_t unitAt = units.first + int64_t(blockIdx.x); unitAt < units.last; unitAt += int64_t(gridDim.x)) {
    const Unit unit = tables.units[unitAt];
    if (unit.tensor != present) {
      present = unit.tensor;
      shareTensor<R>(tables.tensors[present], shared);
    }
    if (tensor.active == 0) continue;
    const ChunkSpan span = spanOf(tensor, int64_t(unit.chunk));
    const Site site = {plan, tensor, rowNumbersOf<R>(plan, tensor, span.row), span, int(span.last - span.first)};
    const bool twice = hasLongBlocks<R>(tensor);
    if (twice) findLargest<R>(site, shared, firstSet, setStep);
    for (int at = firstSet; at < site.n; at += setStep) {
      Quad state[setQuads][R::states];
      updateSet<R>(site, shared, at, true, state);
      FETTLE_UNROLL
      for (int j = 0; j < R::states; j++) {
        const fettle_operand& operand = tensor.state[j];
        if (!isBlocked(operand)) continue;
        encodeSet(site, operand, placeOf(tensor, operand, span), at, shared.largest[j], state[0][j], state[1][j]);
      }
    }
    if (twice) storeLongScales<R>(site, shared);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
