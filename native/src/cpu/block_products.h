// Products with matrices of blocks: up to four rows of a block at a time share what is read of the batch.
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

// The sums of some rows that lie in one block row.
template <int tiles>
static void addBlockRow(const fettle_call& call, const float* batch, int64_t row, int64_t rows, BlockParts& parts, double* sums) {
  const int64_t columns = call.integer[2];
  const int64_t b = call.integer[3];
  const int64_t down = call.integer[4];
  const int64_t across = call.integer[5];
  const int64_t stride = columns * batchTile;
  const int64_t within = row % b * down;
  const int64_t first = arrayOf<const int32_t>(call, 0)[row / b];
  const int64_t last = arrayOf<const int32_t>(call, 0)[row / b + 1];
  const int32_t* places = arrayOf<const int32_t>(call, 1);
  for (int64_t p = first; p < last; p++) {
    const int64_t column = int64_t(places[p]) * b;
    if (column < 0) continue;
    const float* values = blockAt(call, p) + within;
    const int64_t width = smaller(b, columns - column);
    for (int64_t j = 0; j < width;) {
      const int64_t at = parts.steps;
      const int64_t n = smaller(width - j, mostSteps - at);
      for (int64_t r = 0; r < rows; r++) {
        const float* from = values + r * down + j * across;
        if (across == 1) {
          widenAll(from, parts.value[r] + at, n);
        } else {
          for (int64_t k = 0; k < n; k++) parts.value[r][at + k] = double(from[k * across]);
        }
      }
      for (int64_t k = 0; k < n; k++) parts.x[at + k] = batch + (column + j + k) * batchTile;
      parts.steps = at + n;
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

// Entries of a block row that are summed at a time: their columns of x, and where they lie in the first of some rows of blocks.
constexpr int sampledVectors = 2;
constexpr int64_t sampledEntries = sampledVectors * Doubles::lanes;

struct Sampled {
  int64_t column[sampledEntries];
  int64_t at[sampledEntries];
  int64_t n = 0;
};

// x is read once for some rows, by vectors where the entries are side by side.
template <int rows>
__attribute__((noinline)) static void sampleRows(const fettle_call& call, int64_t row, const Sampled& entries) {
  alignas(64) double values[sampledEntries] = {};
  const bool together =
      entries.n == sampledEntries && entries.column[sampledEntries - 1] - entries.column[0] == sampledEntries - 1;
  Doubles sum[rows][sampledVectors];
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < sampledVectors; v++) sum[r][v] = Doubles(0.0);
  }
  const int64_t batch = call.integer[0];
  const float* dy = arrayOf<const float>(call, 3) + row;
  const float* from = arrayOf<const float>(call, 4);
  for (int64_t i = 0; i < batch; i++, dy += call.integer[1], from += call.integer[2]) {
    Doubles x[sampledVectors];
    if (together) {
      for (int v = 0; v < sampledVectors; v++) x[v] = Doubles::widen(from + entries.column[0] + v * Doubles::lanes);
    } else {
      for (int64_t j = 0; j < entries.n; j++) values[j] = double(from[entries.column[j]]);
      for (int v = 0; v < sampledVectors; v++) x[v] = Doubles::load(values + v * Doubles::lanes);
    }
    for (int r = 0; r < rows; r++) {
      const Doubles factor = Doubles(double(dy[r]));
      for (int v = 0; v < sampledVectors; v++) sum[r][v] = fma(factor, x[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < sampledVectors; v++) sum[r][v].store(values + v * Doubles::lanes);
    float* out = arrayOf<float>(call, 2) + r * call.integer[3];
    for (int64_t j = 0; j < entries.n; j++) out[entries.at[j]] = float(values[j]);
  }
}

FETTLE_FN void sampleGroup(const fettle_call& call, int64_t row, int64_t rows, Sampled& entries) {
  if (rows == 4) {
    sampleRows<4>(call, row, entries);
  } else if (rows == 3) {
    sampleRows<3>(call, row, entries);
  } else if (rows == 2) {
    sampleRows<2>(call, row, entries);
  } else if (rows == 1) {
    sampleRows<1>(call, row, entries);
  }
  entries.n = 0;
}

// Some rows of one block row, of which the last may be beyond the matrix.
static void sampleBlockRow(const fettle_call& call, int64_t row, int64_t rows) {
  const int64_t columns = call.integer[2];
  const int64_t b = call.integer[3];
  const int64_t inside = row >= call.integer[1] ? 0 : smaller(rows, call.integer[1] - row);
  const int32_t* starts = arrayOf<const int32_t>(call, 0) + row / b;
  const int32_t* places = arrayOf<const int32_t>(call, 1);
  Sampled entries;
  for (int64_t p = starts[0]; p < starts[1]; p++) {
    const int64_t column = int64_t(places[p]) * b;
    const int64_t width = column < 0 ? 0 : smaller(b, columns - column);
    const int64_t at = (p * b + row % b) * b;
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t j = r < inside ? width : 0; j < b; j++) arrayOf<float>(call, 2)[at + r * b + j] = 0.0f;
    }
    for (int64_t j = 0; j < width; j++) {
      entries.column[entries.n] = column + j;
      entries.at[entries.n++] = at + j;
      if (entries.n == sampledEntries) sampleGroup(call, row, inside, entries);
    }
  }
  if (entries.n > 0) sampleGroup(call, row, inside, entries);
}

FETTLE_FN void sampleRange(const fettle_call& call, int64_t first, int64_t last) {
  const int64_t b = call.integer[3];
  while (first < last) {
    const int64_t rows = smaller(smaller(blockGroup, b - first % b), last - first);
    sampleBlockRow(call, first, rows);
    first += rows;
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
