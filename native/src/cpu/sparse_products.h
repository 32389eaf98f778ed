// Products of a batch with sparse matrices: several tiles of the batch at a time share what is read of the matrix.
#pragma once

#include "core/doubles.h"
#include "kernels/sparse/products.h"

namespace fettle {
namespace FETTLE_TIER {

// The sums of so many tiles fill eight registers, enough to hide how long an addition takes.
constexpr int mostTiles = Doubles::lanes / 2;
constexpr int64_t tilesWidth = mostTiles * batchTile;
constexpr int vectorsOfTile = batchTile / Doubles::lanes;

// Columns of the batch, widened once, that stay in the first cache while rows pass by.
constexpr int64_t partColumns = 64;
constexpr int64_t partRows = 128;

struct SparseParts {
  alignas(64) double x[partColumns][tilesWidth];
  alignas(64) double sum[partRows][tilesWidth + 8];  // a line more, so that columns of it do not fall upon each other
  alignas(64) double value[partColumns / 2];
};

// The results of some rows, of several tiles. By batch: what lies a row of results apart falls upon each other in the cache.
FETTLE_FN void storeBatch(const fettle_call& call, int64_t tile, int tiles, int64_t row, int64_t n,
                          const double (&sum)[partRows][tilesWidth + 8]) {
  const int64_t first = tile * batchTile;
  const int64_t count = smaller(tiles * batchTile, call.integer[0] - first);
  float* y = arrayOf<float>(call, 4) + first * call.integer[1] + row;
  for (int64_t i = 0; i < count; i++, y += call.integer[1]) {
    for (int64_t r = 0; r < n; r++) y[r] = float(sum[r][i]);
  }
}

FETTLE_FN void widenAll(const float* from, double* to, int64_t n) {
  int64_t i = 0;
  for (; i + Doubles::lanes <= n; i += Doubles::lanes) Doubles::widen(from + i).store(to + i);
  for (; i < n; i++) to[i] = double(from[i]);
}

// Adds the products of a part of a row, two quads per byte of its codes.
template <int tiles>
__attribute__((noinline)) static void addQuads(const SparseParts& parts, const uint8_t* codes, int64_t bytes, double* sums) {
  constexpr int vectors = tiles * vectorsOfTile;
  Doubles sum[vectors];
  for (int v = 0; v < vectors; v++) sum[v] = Doubles::load(sums + v * Doubles::lanes);
  const double* x = parts.x[0];
  const double* value = parts.value;
  for (int64_t k = 0; k < bytes; k++) {
    const unsigned code = codes[k];
    for (int entry = 0; entry < 4; entry++) {
      const int64_t position = int64_t(code >> (2 * entry) & 3u) + (entry < 2 ? 0 : 4);
      const double* column = x + position * tilesWidth;
      const Doubles factor(value[entry]);
      for (int v = 0; v < vectors; v++) sum[v] = fma(factor, Doubles::load(column + v * Doubles::lanes), sum[v]);
    }
    x += 8 * tilesWidth;
    value += 4;
  }
  for (int v = 0; v < vectors; v++) sum[v].store(sums + v * Doubles::lanes);
}

template <int tiles>
static void semi24Tiles(const fettle_call& call, int64_t tile, int64_t firstRow, int64_t lastRow) {
  SparseParts parts;
  const int64_t columns = call.integer[2];
  const float* batch = arrayOf<const float>(call, 3) + tile * batchTile * columns;
  for (int64_t start = firstRow; start < lastRow; start += partRows) {
    const int64_t n = smaller(partRows, lastRow - start);
    for (int64_t r = 0; r < n; r++) {
      for (int64_t i = 0; i < tilesWidth; i++) parts.sum[r][i] = 0.0;
    }
    for (int64_t column = 0; column < columns; column += partColumns) {
      const int64_t width = smaller(partColumns, columns - column);
      for (int t = 0; t < tiles; t++) {
        const float* from = batch + (t * columns + column) * batchTile;
        for (int64_t j = 0; j < width; j++) widenAll(from + j * batchTile, parts.x[j] + t * batchTile, batchTile);
      }
      for (int64_t r = 0; r < n; r++) {
        const int64_t at = (start + r) * columns + column;
        const float* next = arrayOf<const float>(call, 0) + ((start + smaller(r + 8, n - 1)) * columns + column) / 2;
        _mm_prefetch(reinterpret_cast<const char*>(next), _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(next + 16), _MM_HINT_T0);
        widenAll(arrayOf<const float>(call, 0) + at / 2, parts.value, width / 2);
        addQuads<tiles>(parts, arrayOf<const uint8_t>(call, 1) + at / 8, width / 8, parts.sum[r]);
      }
    }
    storeBatch(call, tile, tiles, start, n, parts.sum);
  }
}

template <int tiles>
static void csrTiles(const fettle_call& call, int64_t tile, int64_t firstRow, int64_t lastRow) {
  constexpr int vectors = tiles * vectorsOfTile;
  SparseParts parts;
  const int64_t stride = call.integer[2] * batchTile;
  const float* batch = arrayOf<const float>(call, 3) + tile * stride;
  const int32_t* pointers = arrayOf<const int32_t>(call, 0);
  for (int64_t start = firstRow; start < lastRow; start += partRows) {
    const int64_t n = smaller(partRows, lastRow - start);
    for (int64_t r = 0; r < n; r++) {
      const int64_t row = start + r;
      Doubles sum[vectors];
      for (int v = 0; v < vectors; v++) sum[v] = Doubles(0.0);
      for (int64_t p = pointers[row]; p < pointers[row + 1]; p++) {
        const Doubles factor(double(arrayOf<const float>(call, 2)[p]));
        const float* x = batch + int64_t(arrayOf<const int32_t>(call, 1)[p]) * batchTile;
        for (int v = 0; v < vectors; v++) {
          const float* from = x + v / vectorsOfTile * stride + v % vectorsOfTile * Doubles::lanes;
          sum[v] = fma(factor, Doubles::widen(from), sum[v]);
        }
      }
      for (int v = 0; v < vectors; v++) sum[v].store(parts.sum[r] + v * Doubles::lanes);
    }
    storeBatch(call, tile, tiles, start, n, parts.sum);
  }
}

struct Semi24Tiles {
  template <int tiles>
  FETTLE_FN void rows(const fettle_call& call, int64_t tile, int64_t firstRow, int64_t lastRow) {
    semi24Tiles<tiles>(call, tile, firstRow, lastRow);
  }
};

struct CsrTiles {
  template <int tiles>
  FETTLE_FN void rows(const fettle_call& call, int64_t tile, int64_t firstRow, int64_t lastRow) {
    csrTiles<tiles>(call, tile, firstRow, lastRow);
  }
};

// Takes several tiles at once where a range holds all of their units.
template <class Tiles>
FETTLE_FN void sparseRange(const fettle_call& call, int64_t first, int64_t last) {
  const int64_t rows = call.integer[1];
  const int64_t blocks = unitsOf(rows, sparseRows);
  while (first < last) {
    const int64_t tile = first / blocks;
    const int64_t block = first % blocks;
    const int64_t whole = block == 0 ? smaller(mostTiles, (last - first) / blocks) : 0;
    if (whole >= 2) {
      if (whole == 4) {
        Tiles::template rows<mostTiles>(call, tile, 0, rows);
      } else if (whole == 3) {
        Tiles::template rows<mostTiles == 4 ? 3 : mostTiles>(call, tile, 0, rows);
      } else {
        Tiles::template rows<2>(call, tile, 0, rows);
      }
      first += whole * blocks;
    } else {
      const int64_t end = smaller(blocks, block + last - first);
      Tiles::template rows<1>(call, tile, block * sparseRows, smaller(end * sparseRows, rows));
      first += end - block;
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
