// Products with 2:4 matrices of 16-bit elements on the sparse tensor cores: y = x W^T, sums in float.
//
// A block of 256 threads forms the results of 128 rows of W and 128 of the batch: 2 x 4 warps of 64 x 32, four by four fragments
// each. W is the instruction's sparse operand; its codes come in words as the instruction takes them (kernels/sparse/half_products.h).
// Steps of 32 columns pass through shared memory, two on their way while one is multiplied.
#pragma once

#include "kernels/sparse/half_products.h"
#include "tensor_cores.cuh"
#include "units.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int sparseStages = 3;
constexpr int sparseTile = 128;                   // rows of W and of the batch of a block
constexpr int sparseStep = int(wordColumns);      // columns of W
constexpr int keptOfStep = sparseStep / 2;
constexpr int sparseWarpRows = 64;
constexpr int sparseWarpBatch = 32;
constexpr int sparseRowFragments = sparseWarpRows / 16;
constexpr int sparseBatchFragments = sparseWarpBatch / 8;
constexpr int chunk = 8;                          // elements of 16 bytes
static_assert(sparseTile % int(sparseRows) == 0 && sparseTile % int(batchTile) == 0, "a block's result is whole units");
static_assert(sparseTile % int(wordRows) == 0 && sparseWarpRows % int(wordRows) == 0, "a warp reads whole groups of words");

// The formats of the instruction.
struct SparseBf16 {
  static constexpr bool isBf16 = true;
};
struct SparseF16 {
  static constexpr bool isBf16 = false;
};

// Both operands; 16 bytes each are moved so that no two rows of a matrix that is loaded meet in a bank.
struct alignas(16) SparseStage {
  uint16_t kept[sparseTile][keptOfStep];
  uint16_t batch[sparseTile][sparseStep];
  uint32_t words[sparseTile];
};
static_assert(sparseStages * sizeof(SparseStage) <= 48 * 1024, "what a block may have without asking for more");

FETTLE_DEVICE int keptAt(int row, int part) { return (part ^ (row >> 2 & 1)) * chunk; }
FETTLE_DEVICE int batchAt(int row, int part) { return (part ^ (row >> 1 & 3)) * chunk; }

// A product as its tiles see it.
struct SparseSite {
  const fettle_call& call;
  int64_t batch, rows, columns;
  int64_t firstRow, firstBatch;
  int keptBytes, batchBytes;  // how much of a row is copied at once: 16, 4 or 1
};

// Eight elements of a row, 0 behind the first `have`. `base` is read nowhere.
FETTLE_DEVICE void copyChunk(uint16_t* to, const uint16_t* from, const uint16_t* base, int64_t have, int copyBytes) {
  if (copyBytes == 16) {
    copyAsync<16>(to, have > 0 ? from : base, have > 0);
  } else if (copyBytes == 4) {
    FETTLE_UNROLL
    for (int i = 0; i < chunk; i += 2) copyAsync<4>(to + i, i < have ? from + i : base, i < have);
  } else {
    for (int i = 0; i < chunk; i++) to[i] = i < have ? from[i] : uint16_t(0);
  }
}

// Starts the copies of one step of the columns.
FETTLE_DEVICE void startSparseStep(const SparseSite& site, SparseStage& stage, int64_t step) {
  constexpr int keptParts = keptOfStep / chunk;
  const uint16_t* const kept = arrayOf<const uint16_t>(site.call, 0);
  const int64_t stride = site.columns / 2;
  for (int i = int(threadIdx.x); i < sparseTile * keptParts; i += mostThreads) {
    const int row = i / keptParts, part = i % keptParts;
    const bool there = site.firstRow + row < site.rows;
    const int64_t column = step * keptOfStep + part * chunk;
    copyChunk(&stage.kept[row][keptAt(row, part)], there ? kept + (site.firstRow + row) * stride + column : kept, kept,
              there ? stride - column : 0, site.keptBytes);
  }
  constexpr int batchParts = sparseStep / chunk;
  const uint16_t* const batch = arrayOf<const uint16_t>(site.call, 2);
  for (int i = int(threadIdx.x); i < sparseTile * batchParts; i += mostThreads) {
    const int row = i / batchParts, part = i % batchParts;
    const bool there = site.firstBatch + row < site.batch;
    const int64_t column = step * sparseStep + part * chunk;
    copyChunk(&stage.batch[row][batchAt(row, part)], there ? batch + (site.firstBatch + row) * site.columns + column : batch,
              batch, there ? site.columns - column : 0, site.batchBytes);
  }
  constexpr int wordParts = sparseTile / 4;
  const uint32_t* const words = arrayOf<const uint32_t>(site.call, 1);
  const int64_t padded = paddedRows(site.rows);
  for (int i = int(threadIdx.x); i < wordParts; i += mostThreads) {
    const int64_t row = site.firstRow + 4 * i;
    const bool there = row < padded;
    copyAsync<16>(&stage.words[4 * i], there ? words + step * padded + row : words, there);
  }
}

// The fragments of one step, by a warp. `row` and `batch` are within the block, `left` are the rows of W from `row` on.
template <class Format>
FETTLE_DEVICE void multiplySparseStep(const SparseStage& stage, int row, int batch, int64_t left,
                                      float (&sums)[sparseRowFragments][sparseBatchFragments][4]) {
  const int lane = int(threadIdx.x % warpThreads);
  uint32_t b[sparseBatchFragments][4];
  FETTLE_UNROLL
  for (int j = 0; j < sparseBatchFragments; j++) {
    const int at = batch + 8 * j + lane % 8;
    loadMatrices(b[j], &stage.batch[at][batchAt(at, lane / 8)]);
  }
  FETTLE_UNROLL
  for (int pair = 0; pair < sparseRowFragments / 2; pair++) {
    const int first = row + int(wordRows) * pair;
    // Behind the last row there are no words, and positions must ascend.
    const uint32_t codes = int64_t(wordRows) * pair < left ? stage.words[first + lane] : emptyCode * 0x01010101u;
    uint32_t a[2][4];
    FETTLE_UNROLL
    for (int i = 0; i < 2; i++) {
      const int at = first + 16 * i + lane % 16;
      loadMatrices(a[i], &stage.kept[at][keptAt(at, lane / 16)]);
    }
    FETTLE_UNROLL
    for (int j = 0; j < sparseBatchFragments; j++) {
      multiplyAddSparse<Format, 0>(sums[2 * pair][j], a[0], b[j], codes);
      multiplyAddSparse<Format, 1>(sums[2 * pair + 1][j], a[1], b[j], codes);
    }
  }
}

// Stores a warp's sums.
FETTLE_DEVICE void storeSparse(const SparseSite& site, int64_t row, int64_t batch,
                               const float (&sums)[sparseRowFragments][sparseBatchFragments][4]) {
  const int lane = int(threadIdx.x % warpThreads);
  FETTLE_UNROLL
  for (int j = 0; j < sparseBatchFragments; j++) {
    FETTLE_UNROLL
    for (int k = 0; k < 2; k++) {
      const int64_t atBatch = batch + 8 * j + lane % 4 * 2 + k;
      if (atBatch >= site.batch) continue;
      FETTLE_UNROLL
      for (int i = 0; i < 2 * sparseRowFragments; i++) {
        const int64_t atRow = row + 8 * i + lane / 4;
        if (atRow < site.rows) putValue(site.call, 3, atBatch * site.rows + atRow, sums[i / 2][j][i % 2 * 2 + k]);
      }
    }
  }
}

template <class Format>
FETTLE_DEVICE void multiplySparse(const SparseSite& site, SparseStage (&stages)[sparseStages]) {
  const int warp = int(threadIdx.x / warpThreads);
  const int row = warp / 4 * sparseWarpRows;
  const int batch = warp % 4 * sparseWarpBatch;
  const int64_t left = site.rows - site.firstRow - row;
  // Warps without a result only copy.
  const bool works = left > 0 && site.firstBatch + batch < site.batch;
  float sums[sparseRowFragments][sparseBatchFragments][4] = {};
  const int64_t steps = unitsOf(site.columns, sparseStep);
  for (int64_t step = 0; step < sparseStages - 1; step++) {
    if (step < steps) startSparseStep(site, stages[step], step);
    commitCopies();
  }
  for (int64_t step = 0; step < steps; step++) {
    waitForCopies<sparseStages - 2>();
    __syncthreads();
    const int64_t next = step + sparseStages - 1;
    if (next < steps) startSparseStep(site, stages[next % sparseStages], next);
    commitCopies();
    if (works) multiplySparseStep<Format>(stages[step % sparseStages], row, batch, left, sums);
  }
  waitForCopies<0>();
  __syncthreads();
  if (works) storeSparse(site, site.firstRow + row, site.firstBatch + batch, sums);
}

// A block takes whole units: the first units stand for the blocks' results, the others have nothing to do.
template <>
struct CudaKernel<Semi24HalfProduct> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ SparseStage stages[sparseStages];
    const int64_t batch = call.integer[0], rows = call.integer[1], columns = call.integer[2];
    const int64_t across = unitsOf(batch, sparseTile);
    if (unit >= unitsOf(rows, sparseTile) * across) return;
    const SparseSite site = {call,
                             batch,
                             rows,
                             columns,
                             unit / across * sparseTile,
                             unit % across * sparseTile,
                             copyBytesOf(call.array[0], columns),
                             copyBytesOf(call.array[2], 2 * columns)};
    if (call.dtype[0] == FETTLE_BF16) {
      multiplySparse<SparseBf16>(site, stages);
    } else {
      multiplySparse<SparseF16>(site, stages);
    }
  }
};

// A warp takes 32 rows, a thread a word of each step.
template <>
struct CudaKernel<Semi24Words> {
  static constexpr int threadsPerUnit = warpThreads;
  static_assert(warpThreads == int(wordRows), "a thread per word");

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t group) {
    const int64_t lane = threadIdx.x % warpThreads;
    const int64_t stride = paddedRows(call.integer[0]);
    unsigned wrong = 0;
    for (int64_t step = 0; step < unitsOf(call.integer[1], wordColumns); step++) {
      const uint32_t word = Semi24Words::word(call, group, step, lane);
      arrayOf<uint32_t>(call, 1)[step * stride + group * wordRows + lane] = word;
      wrong += unsigned(Semi24Words::wrongPairs(word));
    }
    for (int apart = warpThreads / 2; apart > 0; apart /= 2) wrong += __shfl_xor_sync(fullWarp, wrong, apart);
    if (lane == 0) arrayOf<int64_t>(call, 2)[group] = wrong;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
