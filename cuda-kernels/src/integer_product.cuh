// Products of s8 matrices on the tensor cores, with the epilogue of kernels/products/products.h.
//
// A block of 256 threads forms 128 x 128 results: 2 x 4 warps of 64 x 32, four by four fragments each. Steps of 64 along the depth
// pass through shared memory, two on their way while one is multiplied. The right operand comes in the panels that all
// backends share: there a group of four columns of a row is a word, which is what a thread holds of a fragment.
// Sums of integers are exact, so their order is free.
#pragma once

#include "kernels/products/products.h"
#include "quad.cuh"
#include "tensor_cores.cuh"
#include "units.cuh"

namespace fettle {
namespace FETTLE_TIER {

constexpr int productStages = 3;
constexpr int productTile = 128;  // rows and columns of a block's result
constexpr int productStep = 64;   // of the depth
constexpr int stepWords = productStep / 4;
constexpr int tilePanels = productTile / int(panelRows);
constexpr int warpRows = 64;
constexpr int warpColumns = 32;
constexpr int rowFragments = warpRows / 16;
constexpr int columnFragments = warpColumns / 8;
static_assert(productTile == 2 * productRows && productTile == productColumns, "a block's result is two units");

// Words of both operands; 16 bytes each are moved so that no two threads of a fragment's load meet in a bank.
struct alignas(16) ProductStage {
  uint32_t left[productTile][stepWords];
  uint32_t right[tilePanels][stepWords][panelRows];
};
static_assert(productStages * sizeof(ProductStage) <= 48 * 1024, "what a block may have without asking for more");

// Where word `word` of a row lies: its 16 bytes change places with those of the row's neighbours.
FETTLE_DEVICE int leftWord(int row, int word) { return word ^ ((row >> 1 & 3) << 2); }

// Where the row lies in group `group` of a panel.
FETTLE_DEVICE int rightRow(int group, int row) { return row ^ ((group >> 1 & 1) << 3); }

// A product as its tiles see it.
struct ProductSite {
  const fettle_call& call;
  int64_t rows, columns, depth;
  int64_t firstRow, firstColumn;
  int copyBytes;  // how much of a row of the left operand is copied at once: 16, 4 or 1
};

// Sixteen bytes of the left operand, zero where there is nothing.
FETTLE_DEVICE void copyLeft(const ProductSite& site, ProductStage& stage, int row, int chunk, int64_t depthFirst) {
  uint32_t* const to = &stage.left[row][leftWord(row, chunk * 4)];
  const int64_t k = depthFirst + chunk * 16;
  const bool there = site.firstRow + row < site.rows;
  const int8_t* const left = arrayOf<const int8_t>(site.call, 0);
  const int8_t* const from = left + (there ? (site.firstRow + row) * site.depth + k : 0);
  if (site.copyBytes == 16) {
    const bool exists = there && k < site.depth;
    copyAsync<16>(to, exists ? from : left, exists);
  } else if (site.copyBytes == 4) {
    FETTLE_UNROLL
    for (int i = 0; i < 4; i++) {
      const bool exists = there && k + 4 * i < site.depth;
      copyAsync<4>(to + i, exists ? from + 4 * i : left, exists);
    }
  } else {
    for (int i = 0; i < 4; i++) {
      uint32_t word = 0;
      for (int j = 0; j < 4; j++) {
        const bool exists = there && k + 4 * i + j < site.depth;
        if (exists) word |= uint32_t(uint8_t(from[4 * i + j])) << (8 * j);
      }
      to[i] = word;
    }
  }
}

// Starts the copies of one step of the depth, and ends their group.
FETTLE_DEVICE void startStep(const ProductSite& site, ProductStage& stage, int64_t step) {
  constexpr int chunksPerRow = productStep / 16;
  for (int i = int(threadIdx.x); i < productTile * chunksPerRow; i += mostThreads) {
    copyLeft(site, stage, i / chunksPerRow, i % chunksPerRow, step * productStep);
  }
  constexpr int chunksPerGroup = int(panelRows) / 4;
  constexpr int chunksPerPanel = stepWords * chunksPerGroup;
  const uint8_t* const panels = arrayOf<const uint8_t>(site.call, 1);
  const int64_t bytes = panelBytes(site.depth);
  for (int i = int(threadIdx.x); i < tilePanels * chunksPerPanel; i += mostThreads) {
    const int panel = i / chunksPerPanel;
    const int group = i % chunksPerPanel / chunksPerGroup;
    const int chunk = i % chunksPerGroup;
    const int64_t number = site.firstColumn / panelRows + panel;
    const bool exists = number * panelRows < site.columns;
    const uint8_t* const from = panels + number * bytes + (step * stepWords + group) * panelRows * 4 + chunk * 16;
    copyAsync<16>(&stage.right[panel][group][rightRow(group, chunk * 4)], exists ? from : panels, exists);
  }
}

// The fragments of one step of the depth, by a warp.
FETTLE_DEVICE void multiplyStep(const ProductStage& stage, int row, int column,
                                int32_t (&sums)[rowFragments][columnFragments][4]) {
  const int lane = int(threadIdx.x % warpThreads);
  FETTLE_UNROLL
  for (int k = 0; k < stepWords; k += 8) {
    uint32_t b[columnFragments][2];
    FETTLE_UNROLL
    for (int j = 0; j < columnFragments; j++) {
      const int at = column + 8 * j + lane / 4;
      FETTLE_UNROLL
      for (int half = 0; half < 2; half++) {
        const int group = k + 4 * half + lane % 4;
        // The panels' bytes have 128 added.
        b[j][half] = stage.right[at / panelRows][group][rightRow(group, at % int(panelRows))] ^ 0x80808080u;
      }
    }
    FETTLE_UNROLL
    for (int i = 0; i < rowFragments; i++) {
      uint32_t a[4];
      FETTLE_UNROLL
      for (int part = 0; part < 4; part++) {
        const int at = row + 16 * i + 8 * (part % 2) + lane / 4;
        a[part] = stage.left[at][leftWord(at, k + 4 * (part / 2) + lane % 4)];
      }
      FETTLE_UNROLL
      for (int j = 0; j < columnFragments; j++) multiplyAdd(sums[i][j], a, b[j]);
    }
  }
}

// What becomes of a warp's sums.
FETTLE_DEVICE void finishFragments(const ProductSite& site, int64_t row, int64_t column,
                                   const int32_t (&sums)[rowFragments][columnFragments][4]) {
  const int lane = int(threadIdx.x % warpThreads);
  FETTLE_UNROLL
  for (int i = 0; i < rowFragments; i++) {
    FETTLE_UNROLL
    for (int half = 0; half < 2; half++) {
      const int64_t atRow = row + 16 * i + 8 * half + lane / 4;
      FETTLE_UNROLL
      for (int j = 0; j < columnFragments; j++) {
        const int64_t atColumn = column + 8 * j + lane % 4 * 2;
        const int64_t left = site.columns - atColumn;
        if (atRow >= site.rows || left <= 0) continue;
        const int32_t pair[2] = {sums[i][j][2 * half], sums[i][j][2 * half + 1]};
        finishProduct(site.call, atRow, atColumn, pair, left < 2 ? 1 : 2);
      }
    }
  }
}

// A block takes two units, one above the other: the first units stand for the pairs, the others have nothing to do.
template <>
struct CudaKernel<IntegerProduct> {
  static constexpr int threadsPerUnit = mostThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t unit) {
    __shared__ ProductStage stages[productStages];
    const int64_t rows = call.integer[0], columns = call.integer[1], depth = call.integer[2];
    const int64_t across = unitsOf(columns, productTile);
    if (unit >= unitsOf(rows, productTile) * across) return;
    const ProductSite site = {call,
                              rows,
                              columns,
                              depth,
                              unit / across * productTile,
                              unit % across * productTile,
                              copyBytesOf(call.array[0], depth)};
    const int warp = int(threadIdx.x / warpThreads);
    const int row = warp / 4 * warpRows;
    const int column = warp % 4 * warpColumns;
    // Warps without a result only copy.
    const bool works = site.firstRow + row < rows && site.firstColumn + column < columns;
    int32_t sums[rowFragments][columnFragments][4] = {};
    const int64_t steps = unitsOf(depth, productStep);
    for (int64_t step = 0; step < productStages - 1; step++) {
      if (step < steps) startStep(site, stages[step], step);
      commitCopies();
    }
    for (int64_t step = 0; step < steps; step++) {
      waitForCopies<productStages - 2>();
      __syncthreads();
      const int64_t next = step + productStages - 1;
      if (next < steps) startStep(site, stages[next % productStages], next);
      commitCopies();
      if (works) multiplyStep(stages[step % productStages], row, column, sums);
    }
    waitForCopies<0>();
    __syncthreads();
    if (works) finishFragments(site, site.firstRow + row, site.firstColumn + column, sums);
  }
};

// A warp packs a panel: a thread takes 16 columns of a row at a time, the two halves of the warp in turn.
template <>
struct CudaKernel<ProductPack> {
  static constexpr int threadsPerUnit = warpThreads;

  FETTLE_DEVICE void unit(const fettle_call& call, int64_t panel) {
    const int64_t rows = call.integer[0], depth = call.integer[1];
    const int lane = int(threadIdx.x % warpThreads);
    const int64_t own = lane % panelRows;
    const int64_t row = panel * panelRows + own;
    const bool there = row < rows;
    const int8_t* const from = arrayOf<const int8_t>(call, 0) + (there ? row : 0) * depth;
    uint32_t* const to = reinterpret_cast<uint32_t*>(arrayOf<uint8_t>(call, 1) + panel * panelBytes(depth));
    const bool wide = copyBytesOf(call.array[0], depth) == 16;
    const int64_t padded = unitsOf(depth, panelDepth) * panelDepth;
    int32_t sum = 0;
    for (int64_t k = lane / panelRows * 16; k < padded; k += 32) {
      uint32_t word[4] = {};
      if (wide && there && k < depth) {
        const uint4 all = loadGlobal(reinterpret_cast<const uint4*>(from + k));
        word[0] = all.x;
        word[1] = all.y;
        word[2] = all.z;
        word[3] = all.w;
      }
      FETTLE_UNROLL
      for (int i = 0; i < 4; i++) {
        uint32_t packed = 0;
        FETTLE_UNROLL
        for (int j = 0; j < 4; j++) {
          if (!there || k + 4 * i + j >= depth) continue;
          const int8_t value = wide ? int8_t(word[i] >> (8 * j)) : from[k + 4 * i + j];
          sum += value;
          packed |= (uint32_t(uint8_t(value)) ^ 0x80u) << (8 * j);
        }
        to[(k / 4 + i) * panelRows + own] = packed;
      }
    }
    sum += int32_t(__shfl_xor_sync(fullWarp, unsigned(sum), 16));
    if (there && lane < panelRows) arrayOf<int32_t>(call, 2)[row] = sum;
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
