// Products of a batch with matrices of blocks: up to four rows of a block at a time share what is read of the batch.
#pragma once

#include "cpu/sparse_products.h"
#include "kernels/sparse/block_products.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t blockGroup = 4;
constexpr int64_t mostSteps = 64;

// Columns of the batch that some rows of a block row meet, in order, with their values widened once for all tiles.
struct BlockParts {
  alignas(64) double sum[partRows][tilesWidth + 8];
  alignas(64) double value[blockGroup][mostSteps];
  const float* x[mostSteps];
  int64_t steps = 0;
};

// Adds the steps to some vectors of the sums of some rows; `from` is where these vectors lie in a column of the batch.
template <int rows, int vectors>
__attribute__((noinline)) static void addSteps(const BlockParts& parts, int64_t stride, int64_t from, double* sums) {
  constexpr int64_t apart = tilesWidth + 8;
  Doubles sum[rows][vectors];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) sum[r][v] = Doubles::load(sums + r * apart + v * Doubles::lanes);
  }
  for (int64_t k = 0; k < parts.steps; k++) {
    const float* column = parts.x[k] + from;
    Doubles x[vectors];
    for (int v = 0; v < vectors; v++) {
      x[v] = Doubles::widen(column + v / vectorsOfTile * stride + v % vectorsOfTile * Doubles::lanes);
    }
    for (int r = 0; r < rows; r++) {
      const Doubles factor(parts.value[r][k]);
      for (int v = 0; v < vectors; v++) sum[r][v] = fma(factor, x[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < vectors; v++) sum[r][v].store(sums + r * apart + v * Doubles::lanes);
  }
}

// As many vectors at a time as leave all sums in registers, and enough of them to hide how long an addition takes.
template <int rows, int tiles>
static void addRows(const BlockParts& parts, int64_t stride, double* sums) {
  constexpr int vectors = tiles * vectorsOfTile;
  constexpr int most = rows == 1 ? 8 : (rows == 2 ? Doubles::lanes : Doubles::lanes / 2);
  constexpr int widest = most < vectors ? most : vectors;
  int v = 0;
  for (; v + widest <= vectors; v += widest) {
    const int64_t from = v / vectorsOfTile * stride + v % vectorsOfTile * Doubles::lanes;
    addSteps<rows, widest>(parts, stride, from, sums + v * Doubles::lanes);
  }
  for (; v < vectors; v += 2) {
    const int64_t from = v / vectorsOfTile * stride + v % vectorsOfTile * Doubles::lanes;
    addSteps<rows, 2>(parts, stride, from, sums + v * Doubles::lanes);
  }
}

template <int tiles>
static void addGroup(BlockParts& parts, int64_t rows, int64_t stride, double* sums) {
  if (rows == 4) {
    addRows<4, tiles>(parts, stride, sums);
  } else if (rows == 3) {
    addRows<3, tiles>(parts, stride, sums);
  } else if (rows == 2) {
    addRows<2, tiles>(parts, stride, sums);
  } else {
    addRows<1, tiles>(parts, stride, sums);
  }
  parts.steps = 0;
}

FETTLE_FN void widenApart(const float* from, int64_t apart, double* to, int64_t n) {
  if (apart == 1) {
    widenAll(from, to, n);
  } else {
    for (int64_t i = 0; i < n; i++) to[i] = double(from[i * apart]);
  }
}

// The sums of some rows that lie in one block row.
template <int tiles>
static void addBlockRow(const fettle_call& call, const float* batch, int64_t row, int64_t rows, BlockParts& parts, double* sums) {
  const int64_t columns = call.integer[2];
  const int64_t b = call.integer[3];
  const int64_t stride = columns * batchTile;
  const int32_t* starts = arrayOf<const int32_t>(call, 0) + row / b;
  for (int64_t p = starts[0]; p < starts[1]; p++) {
    const int64_t column = int64_t(arrayOf<const int32_t>(call, 1)[p]) * b;
    if (column < 0) continue;
    const float* values = blockAt(call, p) + row % b * call.integer[4];
    const int64_t width = smaller(b, columns - column);
    for (int64_t j = 0; j < width;) {
      const int64_t n = smaller(width - j, mostSteps - parts.steps);
      for (int64_t r = 0; r < rows; r++) {
        const float* from = values + r * call.integer[4] + j * call.integer[5];
        widenApart(from, call.integer[5], parts.value[r] + parts.steps, n);
      }
      for (int64_t k = 0; k < n; k++) parts.x[parts.steps + k] = batch + (column + j + k) * batchTile;
      parts.steps += n;
      j += n;
      if (parts.steps == mostSteps) addGroup<tiles>(parts, rows, stride, sums);
    }
  }
  addGroup<tiles>(parts, rows, stride, sums);
}

struct BlockMatrixTiles {
  template <int tiles>
  FETTLE_FN void rows(const fettle_call& call, int64_t tile, int64_t firstRow, int64_t lastRow) {
    const int64_t b = call.integer[3];
    const float* batch = arrayOf<const float>(call, 3) + tile * call.integer[2] * batchTile;
    BlockParts parts;
    for (int64_t start = firstRow; start < lastRow; start += partRows) {
      const int64_t n = smaller(partRows, lastRow - start);
      for (int64_t r = 0, taken; r < n; r += taken) {
        const int64_t row = start + r;
        taken = smaller(smaller(blockGroup, b - row % b), n - r);
        for (int64_t i = 0; i < taken; i++) {
          for (int64_t k = 0; k < tilesWidth; k++) parts.sum[r + i][k] = 0.0;
        }
        addBlockRow<tiles>(call, batch, row, taken, parts, parts.sum[r]);
      }
      storeBatch(call, tile, tiles, start, n, parts.sum);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
