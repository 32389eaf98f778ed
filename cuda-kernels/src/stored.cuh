// Elementwise primitives with arrays that are stored by blocks or with a compensation, a chunk per warp.
//
// A block of up to 128 values is one row of a warp, which finds its largest magnitude by shuffles. Longer blocks take the primitive
// twice over their elements: for the maxima, and for the results. A maximum is exact, so nothing depends on the launch's shape.
#pragma once

#include "core/compensated.h"
#include "gather.cuh"
#include "primitives.cuh"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_DEVICE void storeNearest(const fettle_operand& operand, int64_t element, Part part, const Quad& quad) {
  if (operand.dtype == FETTLE_F32) {
    storeWords(static_cast<uint32_t*>(operand.data) + element, part, quad);
    return;
  }
  uint16_t codes[quadElements];
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    codes[k] = operand.dtype == FETTLE_BF16 ? Bf16::nearest(quad.value[k]) : nearestF16(quad.value[k]);
  }
  storeCodes(static_cast<uint16_t*>(operand.data) + element, part, codes);
}

// One of the two arrays of a compensated one.
FETTLE_DEVICE fettle_operand halfOf(void* data) { return {data, nullptr, FETTLE_BF16, FETTLE_NEAREST, 0}; }

// A blocked array from the start of a chunk on: it is one row, and a chunk starts a block.
FETTLE_DEVICE BlockPlace placeOf(const fettle_operand& operand, int64_t first) {
  const int shift = int(exponentOf(float(operand.block_size)));
  const int bits = bitsOfCode(operand.dtype);
  return {static_cast<uint8_t*>(operand.data) + first * bits / 8,
          static_cast<float*>(operand.scales) + (first >> shift), shift, bits};
}

// A quad from element `offset` of the chunk on that starts at `first`.
FETTLE_DEVICE_CALLED Quad loadStored(const fettle_operand& operand, int64_t first, int offset, Part part) {
  if (isBlocked(operand)) {
    const BlockPlace place = placeOf(operand, first);
    return decodeBlocked(operand, place, loadBlocked(place, offset, part), offset, part);
  }
  if (isCompensated(operand)) {
    Quad quad = decode(loadRaw(halfOf(operand.data), first + offset, part), FETTLE_BF16);
    const Quad low = decode(loadRaw(halfOf(operand.scales), first + offset, part), FETTLE_BF16);
    FETTLE_UNROLL
    for (int k = 0; k < quadElements; k++) quad.value[k] = quad.value[k] + low.value[k];
    return quad;
  }
  return decode(loadRaw(operand, first + offset, part), operand.dtype);
}

FETTLE_DEVICE_CALLED void storeCompensated(const fettle_operand& operand, int64_t element, Part part,
                                           const Quad& quad) {
  Quad low = {};
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    low.value[k] = leftBeside(Bf16::decode(Bf16::nearest(quad.value[k])), quad.value[k]);
  }
  storeNearest(halfOf(operand.data), element, part, quad);
  storeNearest(halfOf(operand.scales), element, part, low);
}

FETTLE_DEVICE bool isLongBlock(const fettle_operand& operand) {
  return isBlocked(operand) && operand.block_size > rowElements;
}

// Stores a quad; what does not exist is 0 in it. `longest` is the largest magnitude of a long block, whose scale is left to others.
// The whole warp calls this. `n`: elements of the chunk.
FETTLE_DEVICE_CALLED void storeStored(const fettle_operand& operand, int64_t first, int offset, Part part, int n,
                                      unsigned longest, const Quad& quad) {
  if (isCompensated(operand)) {
    storeCompensated(operand, first + offset, part, quad);
    return;
  }
  if (!isBlocked(operand)) {
    storeNearest(operand, first + offset, part, quad);
    return;
  }
  const BlockPlace place = placeOf(operand, first);
  if (place.shift < 2) {
    storeShortBlocks(operand.dtype, place, offset, part, n, quad);
    return;
  }
  const bool isLong = isLongBlock(operand);
  const unsigned largest = isLong ? longest : largestOfLanes(largestIn(quad), 1 << (place.shift - 2));
  if (part.to == 0) return;
  const int block = offset >> place.shift;
  const bool whole = (block + 1) << place.shift <= n;
  const Encoded encoded = encodeQuad(operand.dtype, floatOf(largest), whole, quad);
  storeCodeWord(place, offset, part, encoded.word);
  if (!isLong && offset == block << place.shift) storeGlobal(place.scales + block, encoded.scale);
}

// The primitive on a quad: its outputs, 0 where there is no element; its terms are added to the lanes unless those are null.
template <class P>
FETTLE_DEVICE void applyQuad(const float* c, const Quad* in, Part part, Quad* out, double (*lane)[lanesPerThread]) {
  FETTLE_UNROLL
  for (int k = 0; k < quadElements; k++) {
    float x[P::inputs];
    float y[P::outputs + 1];
    Terms<float> terms;
    FETTLE_UNROLL
    for (int j = 0; j < P::inputs; j++) x[j] = in[j].value[k];
    P::apply(c, x, y, terms);
    FETTLE_UNROLL
    for (int j = 0; j < P::outputs; j++) out[j].value[k] = part.holds(k) ? y[j] : 0.0f;
    if (lane == nullptr || !part.holds(k)) continue;
    FETTLE_UNROLL
    for (int j = 0; j < P::sums; j++) take<P>(lane[j][k], terms, j);
  }
}

// What the lanes of a chunk come to, by a warp.
template <class P>
FETTLE_DEVICE void storeSums(const BatchTables& tables, const fettle_item& item, int64_t chunk,
                             double (*lane)[lanesPerThread]) {
  FETTLE_UNROLL
  for (int j = 0; j < P::sums; j++) {
    const double sum = P::maximum ? warpLargest(lane[j]) : warpTree(lane[j]);
    if (threadIdx.x % warpThreads == 0) tables.sums[j * tables.sumCount + item.first_sum + chunk] = sum;
  }
}

// The primitive's outputs at a quad, 0 where there is no element; its terms are added to the lanes unless those are null.
template <class P>
FETTLE_DEVICE void evaluate(const fettle_item& item, const float* c, int64_t first, int offset, Part part, Quad* out,
                            double (*lane)[lanesPerThread]) {
  Quad in[P::inputs];
  FETTLE_UNROLL
  for (int j = 0; j < P::inputs; j++) in[j] = loadStored(item.array[j], first, offset, part);
  applyQuad<P>(c, in, part, out, lane);
}

template <class P>
FETTLE_DEVICE void storedElementsOf(const BatchTables& tables, const fettle_item& item, int64_t chunk) {
  float c[FETTLE_MAX_FACTORS];
  FETTLE_UNROLL
  for (int k = 0; k < FETTLE_MAX_FACTORS; k++) c[k] = float(item.factors[k]);
  const fettle_operand* const written = item.array + P::inputs;
  double lane[P::sums + 1][lanesPerThread] = {};
  const int64_t first = chunk * FETTLE_CHUNK;
  const int64_t left = item.elements - first;
  const int n = left < FETTLE_CHUNK ? int(left) : int(FETTLE_CHUNK);
  const int thread = int(threadIdx.x % warpThreads) * quadElements;
  int span = rowElements;
  FETTLE_UNROLL
  for (int j = 0; j < P::outputs; j++) {
    if (isLongBlock(written[j])) span = int(written[j].block_size);
  }
  for (int from = 0; from < n; from += span) {
    const int to = n - from < span ? n : from + span;
    unsigned longest[P::outputs + 1] = {};
    Quad out[P::outputs + 1];
    if (span > rowElements) {
      for (int row = from; row < to; row += rowElements) {
        evaluate<P>(item, c, first, row + thread, partIn(row + thread, n), out, nullptr);
        FETTLE_UNROLL
        for (int j = 0; j < P::outputs; j++) {
          const unsigned mine = largestIn(out[j]);
          longest[j] = mine > longest[j] ? mine : longest[j];
        }
      }
      FETTLE_UNROLL
      for (int j = 0; j < P::outputs; j++) longest[j] = largestOfLanes(longest[j], warpThreads);
    }
    for (int row = from; row < to; row += rowElements) {
      const int offset = row + thread;
      const Part part = partIn(offset, n);
      evaluate<P>(item, c, first, offset, part, out, lane);
      FETTLE_UNROLL
      for (int j = 0; j < P::outputs; j++) storeStored(written[j], first, offset, part, n, longest[j], out[j]);
    }
    if (span == rowElements) continue;
    // Nobody needs the old scale any more.
    __syncwarp();
    FETTLE_UNROLL
    for (int j = 0; j < P::outputs; j++) {
      if (!isLongBlock(written[j]) || thread != 0) continue;
      const Encoded encoded = encodeQuad(written[j].dtype, floatOf(longest[j]), from + span <= n, Quad{});
      storeGlobal(placeOf(written[j], first).scales + from / span, encoded.scale);
    }
  }
  storeSums<P>(tables, item, chunk, lane);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
