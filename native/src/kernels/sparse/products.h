// Products with sparse matrices. The Java twin is org.fettle.internal.kernels.ProductKernels.
//
// Per result a sum in double in ascending order of what is summed over, rounded once; the product of two floats is exact
// in double, so an fma changes nothing.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int64_t batchTile = 16;
constexpr int64_t sparseRows = 32;

// A batch in tiles of 16 rows, transposed and padded with zeros: [tiles, columns, 16]. A unit is a tile.
// array 0: F32 [batch, columns]; array 1: F32. integers 0, 1: batch, columns.
struct PackBatch {
  FETTLE_FN void unit(const fettle_call& call, int64_t tile) {
    const int64_t columns = call.integer[1];
    const int64_t n = smaller(batchTile, call.integer[0] - tile * batchTile);
    const float* x = arrayOf<const float>(call, 0) + tile * batchTile * columns;
    float* out = arrayOf<float>(call, 1) + tile * batchTile * columns;
    for (int64_t j = 0; j < columns; j++) {
      for (int64_t i = 0; i < batchTile; i++) out[j * batchTile + i] = i < n ? x[i * columns + j] : 0.0f;
    }
  }
};

// The sums of a tile of a batch for one row.
struct TileSums {
  double sum[batchTile];
  FETTLE_INLINE void clear() {
    for (int64_t i = 0; i < batchTile; i++) sum[i] = 0.0;
  }
  FETTLE_INLINE void add(float value, const float* x) {
    for (int64_t i = 0; i < batchTile; i++) sum[i] += double(value) * double(x[i]);
  }
  FETTLE_INLINE void store(float* y, int64_t step, int64_t n) const {
    for (int64_t i = 0; i < n; i++) y[i * step] = float(sum[i]);
  }
};

// y = x W^T. A unit is 16 rows of the batch and 32 rows of W. array 0: I32 row pointers; array 1: I32 columns; array 2: F32
// values; array 3: the packed batch; array 4: F32 [batch, rows]. integers 0 .. 2: batch, rows, columns.
struct CsrProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[1];
    const int64_t blocks = unitsOf(rows, sparseRows);
    const int64_t tile = unit / blocks;
    const int64_t first = unit % blocks * sparseRows;
    const int64_t n = smaller(batchTile, call.integer[0] - tile * batchTile);
    const float* x = arrayOf<const float>(call, 3) + tile * batchTile * call.integer[2];
    float* y = arrayOf<float>(call, 4) + tile * batchTile * rows;
    const int32_t* pointers = arrayOf<const int32_t>(call, 0);
    for (int64_t row = first; row < smaller(first + sparseRows, rows); row++) {
      TileSums sums;
      sums.clear();
      for (int64_t p = pointers[row]; p < pointers[row + 1]; p++) {
        sums.add(arrayOf<const float>(call, 2)[p], x + int64_t(arrayOf<const int32_t>(call, 1)[p]) * batchTile);
      }
      sums.store(y + row, rows, n);
    }
  }
};

// y = x W^T with two of four. array 0: F32 values [rows, columns / 2]; array 1: U8 codes; arrays 3, 4 and integers as above.
struct Semi24Product {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[1];
    const int64_t columns = call.integer[2];
    const int64_t blocks = unitsOf(rows, sparseRows);
    const int64_t tile = unit / blocks;
    const int64_t first = unit % blocks * sparseRows;
    const int64_t n = smaller(batchTile, call.integer[0] - tile * batchTile);
    const float* x = arrayOf<const float>(call, 3) + tile * batchTile * columns;
    float* y = arrayOf<float>(call, 4) + tile * batchTile * rows;
    for (int64_t row = first; row < smaller(first + sparseRows, rows); row++) {
      const float* values = arrayOf<const float>(call, 0) + row * columns / 2;
      const uint8_t* codes = arrayOf<const uint8_t>(call, 1) + row * columns / 8;
      TileSums sums;
      sums.clear();
      for (int64_t quad = 0; quad < columns / 4; quad++) {
        const unsigned nibble = unsigned(codes[quad / 2]) >> (4 * (quad % 2)) & 15u;
        sums.add(values[2 * quad], x + (4 * quad + int64_t(nibble & 3u)) * batchTile);
        sums.add(values[2 * quad + 1], x + (4 * quad + int64_t(nibble >> 2)) * batchTile);
      }
      sums.store(y + row, rows, n);
    }
  }
};

// val[p] = sum over the batch of dy[b, row] x[b, column], where the pattern has an entry. A unit is a row. array 0: I32 row
// pointers; array 1: I32 columns; array 2: F32 values, written; array 3: F32 dy [batch, rows]; array 4: F32 x [batch, columns].
// integers 0 .. 2: batch, rows, columns.
struct CsrSampled {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t batch = call.integer[0];
    const int64_t rows = call.integer[1];
    const int64_t columns = call.integer[2];
    const int64_t last = arrayOf<const int32_t>(call, 0)[row + 1];
    for (int64_t p = arrayOf<const int32_t>(call, 0)[row]; p < last; p += 16) {
      const int64_t n = smaller(16, last - p);
      const int32_t* at = arrayOf<const int32_t>(call, 1) + p;
      double sums[16];
      for (int64_t j = 0; j < n; j++) sums[j] = 0.0;
      for (int64_t b = 0; b < batch; b++) {
        const double dy = double(arrayOf<const float>(call, 3)[b * rows + row]);
        const float* x = arrayOf<const float>(call, 4) + b * columns;
        for (int64_t j = 0; j < n; j++) sums[j] += dy * double(x[at[j]]);
      }
      for (int64_t j = 0; j < n; j++) arrayOf<float>(call, 2)[p + j] = float(sums[j]);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
