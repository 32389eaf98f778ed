// The fixed-order double reduction on the device: the same sums in the same order as tree.h's.
//
// A chunk belongs to one warp: thread j owns lanes 4j .. 4j + 3, so a row of 128 elements is one quad per thread, and
// the tree over the lanes is five shuffles and two additions. Many sums are added by one block.
// Where tree.h adds nothing, these add +0. That changes no bit: every lane starts at +0, so no sum is ever -0.
#pragma once

#include "core/numeric.h"
#include "tables.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int lanesPerThread = reductionLanes / warpThreads;

// The sum of one chunk, from the lanes of all threads of the warp. Only the first thread's answer counts.
FETTLE_DEVICE double warpTree(double* lane) {
  FETTLE_UNROLL
  for (int down = warpThreads / 2; down > 0; down /= 2) {
    FETTLE_UNROLL
    for (int k = 0; k < lanesPerThread; k++) lane[k] += __shfl_down_sync(fullWarp, lane[k], unsigned(down));
  }
  return (lane[0] + lane[2]) + (lane[1] + lane[3]);
}

// The larger of two, and a NaN if there is one: exact, so the order in which maxima are taken does not matter.
FETTLE_DEVICE double largerSum(double x, double y) { return x > y || x != x ? x : y; }

// The largest over the lanes of all threads of the warp. Only the first thread's answer counts.
FETTLE_DEVICE double warpLargest(double* lane) {
  double largest = largerSum(largerSum(lane[0], lane[1]), largerSum(lane[2], lane[3]));
  FETTLE_UNROLL
  for (int down = warpThreads / 2; down > 0; down /= 2) {
    largest = largerSum(largest, __shfl_down_sync(fullWarp, largest, unsigned(down)));
  }
  return largest;
}

// Adds the upper half of `width` values onto the lower.
template <int width>
FETTLE_DEVICE void halve(double* part) {
  FETTLE_UNROLL
  for (int k = 0; k < width / 2; k++) part[k] += part[k + width / 2];
}

// Four levels of halving at once, for slot i of the lowest sixteenth: it takes what lies a multiple of `next` above.
FETTLE_DEVICE double sixteenth(const double* sums, int64_t count, int64_t next, int64_t i) {
  constexpr int radix = 16;
  double part[radix];
  FETTLE_UNROLL
  for (int k = 0; k < radix; k++) part[k] = i + k * next < count ? sums[i + k * next] : 0.0;
  halve<16>(part);
  halve<8>(part);
  halve<4>(part);
  halve<2>(part);
  return part[0];
}

// treeSum(sums, count) by the whole block, in place; every thread has the answer. All threads must call it.
//
// A halving tree over a power of two splits by residues: whatever stays in slot i until the width is w is the tree
// over i, i + w, i + 2w, ... So a thread does four levels at once in registers and reads everything once.
FETTLE_DEVICE double blockTree(double* sums, int64_t count) {
  constexpr int slots = 256;
  __shared__ double slot[slots];
  const int thread = int(threadIdx.x);
  const int threads = int(blockDim.x);
  int64_t width = 1;
  while (width < count) width *= 2;
  while (width > slots) {
    const int64_t next = width / 16 > slots ? width / 16 : int64_t(slots);
    for (int64_t i = thread; i < next; i += threads) sums[i] = sixteenth(sums, count, next, i);
    if (count > next) count = next;
    width = next;
    __syncthreads();
  }
  for (int i = thread; i < int(width); i += threads) slot[i] = i < count ? sums[i] : 0.0;
  __syncthreads();
  for (int half = int(width) / 2; half > 0; half /= 2) {
    for (int i = thread; i < half; i += threads) slot[i] += slot[i + half];
    __syncthreads();
  }
  const double sum = slot[0];
  __syncthreads();
  return sum;
}

// The largest of one number per thread of the block, and a NaN if there is one; every thread has the answer.
FETTLE_DEVICE double blockLargest(double mine) {
  __shared__ double largest[mostThreads];
  const int thread = int(threadIdx.x);
  largest[thread] = mine;
  __syncthreads();
  for (int half = mostThreads / 2; half > 0; half /= 2) {
    if (thread < half && thread + half < int(blockDim.x))
      largest[thread] = largerSum(largest[thread], largest[thread + half]);
    __syncthreads();
  }
  const double result = largest[0];
  __syncthreads();
  return result;
}

// largestOf(sums, count) by the whole block.
FETTLE_DEVICE double blockLargestOf(const double* sums, int64_t count) {
  double mine = 0.0;
  for (int64_t i = int64_t(threadIdx.x); i < count; i += int64_t(blockDim.x)) mine = largerSum(mine, sums[i]);
  return blockLargest(mine);
}

// Whether this block is the last of its grid to get here; it then sees what all others wrote before. Every thread
// must call it, once per launch.
FETTLE_DEVICE bool lastBlock(unsigned* arrived) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(arrived, 1u) == gridDim.x - 1;
    if (last) *arrived = 0;
  }
  __syncthreads();
  __threadfence();
  return last;
}

}  // namespace FETTLE_TIER
}  // namespace fettle
