// Products with matrices of blocks: block compressed rows and blocked ELL, whose padding has the column -1. The Java twin is
// org.fettle.internal.kernels.BlockMatrixKernels.
//
// Per result a sum in double in ascending order of what is summed over, rounded once, as in kernels/sparse/products.h. All of a
// block counts as stored: a 0 in it adds a zero, which changes no bit of a finite sum. What pads a block beyond the matrix is
// not read.
#pragma once

#include "kernels/sparse/products.h"

namespace fettle {
namespace FETTLE_TIER {

// The values of the block that stands at a position of the index.
FETTLE_FN const float* blockAt(const fettle_call& call, int64_t position) {
  const int32_t* which = arrayOf<const int32_t>(call, 5);
  const int64_t block = which != nullptr ? int64_t(which[position]) : position;
  return arrayOf<const float>(call, 2) + block * call.integer[3] * call.integer[3];
}

// y = x W^T. A unit is 16 rows of the batch and 32 rows of W. array 0: I32, where each block row starts in the index; array 1: I32
// block columns, ascending in a block row; array 2: F32 blocks [blocks, b, b]; array 3: the packed batch; array 4: F32 [batch,
// rows]; array 5: I32, which block each of the index is, or null if they lie in order. integers 0 .. 2: batch, rows, columns;
// 3: b; 4, 5: how far a row and a column of a block are apart: b and 1, or 1 and b for blocks that are to be transposed.
struct BlockMatrixProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[1];
    const int64_t columns = call.integer[2];
    const int64_t b = call.integer[3];
    const int64_t parts = unitsOf(rows, sparseRows);
    const int64_t tile = unit / parts;
    const int64_t first = unit % parts * sparseRows;
    const int64_t n = smaller(batchTile, call.integer[0] - tile * batchTile);
    const float* x = arrayOf<const float>(call, 3) + tile * batchTile * columns;
    float* y = arrayOf<float>(call, 4) + tile * batchTile * rows;
    const int32_t* starts = arrayOf<const int32_t>(call, 0);
    for (int64_t row = first; row < smaller(first + sparseRows, rows); row++) {
      TileSums sums;
      sums.clear();
      for (int64_t p = starts[row / b]; p < starts[row / b + 1]; p++) {
        const int64_t column = int64_t(arrayOf<const int32_t>(call, 1)[p]) * b;
        if (column < 0) continue;
        const float* values = blockAt(call, p) + row % b * call.integer[4];
        for (int64_t j = 0; j < smaller(b, columns - column); j++) {
          sums.add(values[j * call.integer[5]], x + (column + j) * batchTile);
        }
      }
      sums.store(y + row, rows, n);
    }
  }
};

// The sums over the batch of dy[., row] x[., column] for all of the stored blocks, zeros beyond the matrix. A unit is a row of
// the block rows, the last of which may end beyond the matrix. array 0: I32, where each block row starts; array 1: I32 block
// columns; array 2: F32 blocks, written; array 3: F32 dy [batch, rows]; array 4: F32 x [batch, columns]. integers 0 .. 2: batch,
// rows, columns; 3: b.
struct BlockMatrixSampled {
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t rows = call.integer[1];
    const int64_t columns = call.integer[2];
    const int64_t b = call.integer[3];
    const int32_t* starts = arrayOf<const int32_t>(call, 0) + row / b;
    for (int64_t p = starts[0]; p < starts[1]; p++) {
      const int64_t column = int64_t(arrayOf<const int32_t>(call, 1)[p]) * b;
      const int64_t width = column < 0 || row >= rows ? 0 : smaller(b, columns - column);
      float* out = arrayOf<float>(call, 2) + (p * b + row % b) * b;
      for (int64_t start = 0; start < width; start += 16) {
        const int64_t n = smaller(16, width - start);
        double sums[16];
        for (int64_t j = 0; j < n; j++) sums[j] = 0.0;
        for (int64_t i = 0; i < call.integer[0]; i++) {
          const double dy = double(arrayOf<const float>(call, 3)[i * rows + row]);
          const float* x = arrayOf<const float>(call, 4) + i * columns + column + start;
          for (int64_t j = 0; j < n; j++) sums[j] += dy * double(x[j]);
        }
        for (int64_t j = 0; j < n; j++) out[start + j] = float(sums[j]);
      }
      for (int64_t j = width; j < b; j++) out[j] = 0.0f;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
