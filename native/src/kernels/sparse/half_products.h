// Products with 2:4 matrices of 16-bit elements. The Java twin is org.fettle.internal.kernels.HalfProductKernels.
//
// Per result a sum in double in the order of the columns, rounded to float and, where the result has 16 bits, once more.
// CUDA's tensor cores sum in float in an order of their own instead.
#pragma once

#include "kernels/sparse/products.h"

namespace fettle {
namespace FETTLE_TIER {

// A word holds the codes of two rows eight apart, for half of 32 columns: the row in its low 16 bits, the other above, four quads
// each, the first lowest. Of 32 rows the word at place p is of rows p / 4 + (p % 4 < 2 ? 0 : 16) and of the second half of the
// columns where p is odd: the order in which the threads of a warp hand codes to the tensor cores, and CUTLASS's.
constexpr int64_t wordRows = 32;
constexpr int64_t wordColumns = 32;
constexpr int64_t columnsOfHalf = 16;

// Positions 0 and 1: what stands where the matrix has no quad. Its values are 0.
constexpr unsigned emptyCode = 0x44u;

FETTLE_FN int64_t paddedRows(int64_t rows) { return unitsOf(rows, wordRows) * wordRows; }

// Codes in words [columns / 32, rows], both rounded up. A unit is 32 rows.
// array 0: U8 codes; array 1: I32 words; array 2: I64 [units], how many pairs of positions do not ascend. integers 0 .. 2: rows,
// columns, whether the codes have the layout of CUTLASS, which only copies them.
struct Semi24Words {
  FETTLE_FN uint32_t half(const fettle_call& call, int64_t row, int64_t first) {
    const int64_t bytes = call.integer[1] / 8;
    const uint8_t* const codes = arrayOf<const uint8_t>(call, 0) + (row < call.integer[0] ? row * bytes : 0);
    uint32_t bits = 0;
    for (int64_t i = 0; i < 2; i++) {
      const bool there = row < call.integer[0] && first + i < bytes;
      bits |= (there ? unsigned(codes[first + i]) : emptyCode) << (8 * i);
    }
    return bits;
  }

  FETTLE_FN uint32_t word(const fettle_call& call, int64_t group, int64_t step, int64_t place) {
    const int64_t row = group * wordRows + place / 4 + place % 4 / 2 * 16;
    if (call.integer[2] == 0) {
      const int64_t first = (step * wordColumns + place % 2 * columnsOfHalf) / 8;
      return half(call, row, first) | half(call, row + 8, first) << 16;
    }
    const uint8_t* const codes = arrayOf<const uint8_t>(call, 0) + (step * call.integer[0] + group * wordRows + place) * 4;
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) bits |= uint32_t(codes[i]) << (8 * i);
    return bits;
  }

  FETTLE_FN int64_t wrongPairs(uint32_t word) {
    int64_t wrong = 0;
    for (int i = 0; i < 32; i += 4) wrong += (word >> (i + 2) & 3u) <= (word >> i & 3u) ? 1 : 0;
    return wrong;
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t group) {
    const int64_t stride = paddedRows(call.integer[0]);
    int64_t wrong = 0;
    for (int64_t step = 0; step < unitsOf(call.integer[1], wordColumns); step++) {
      uint32_t* const to = arrayOf<uint32_t>(call, 1) + step * stride + group * wordRows;
      for (int64_t place = 0; place < wordRows; place++) {
        to[place] = word(call, group, step, place);
        wrong += wrongPairs(to[place]);
      }
    }
    arrayOf<int64_t>(call, 2)[group] = wrong;
  }
};

// y = x W^T. A unit is 16 rows of the batch and 32 rows of W. array 0: BF16 or F16 values [rows, columns / 2]; array 1: words of
// codes; array 2: x [batch, columns] of the values' format; array 3: y [batch, rows], F32 or of the values' format.
// integers 0 .. 2: batch, rows, columns.
struct Semi24HalfProduct {
  // What a unit keeps while it passes along the columns.
  struct Sums {
    double sum[sparseRows][batchTile];
    float x[wordColumns][batchTile];
  };

  // The part of the batch that belongs to 32 columns, 0 where there is none.
  FETTLE_FN void widen(const fettle_call& call, int64_t tile, int64_t column, Sums& sums) {
    const int64_t columns = call.integer[2];
    const int64_t n = smaller(batchTile, call.integer[0] - tile * batchTile);
    for (int64_t j = 0; j < wordColumns; j++) {
      for (int64_t i = 0; i < batchTile; i++) {
        const bool there = i < n && column + j < columns;
        sums.x[j][i] = there ? valueAt(call, 2, (tile * batchTile + i) * columns + column + j) : 0.0f;
      }
    }
  }

  FETTLE_FN void addQuads(const fettle_call& call, int64_t row, int64_t column, Sums& sums) {
    const int64_t rows = call.integer[1], columns = call.integer[2];
    const int64_t within = row % wordRows;
    const int64_t words = column / wordColumns * paddedRows(rows) + row - within;
    for (int64_t quad = column; quad < smaller(column + wordColumns, columns); quad += 4) {
      const int64_t half = quad % wordColumns / columnsOfHalf;
      const uint32_t word = arrayOf<const uint32_t>(call, 1)[words + within % 8 * 4 + within / 16 * 2 + half];
      const uint32_t nibble = word >> (within / 8 % 2 * 16 + quad % columnsOfHalf) & 15u;
      const float* const x = sums.x[quad - column];
      for (int64_t entry = 0; entry < 2; entry++) {
        const double value = double(valueAt(call, 0, (row * columns + quad) / 2 + entry));
        const float* const factor = x + int64_t(nibble >> (2 * entry) & 3u) * batchTile;
        for (int64_t i = 0; i < batchTile; i++) sums.sum[row % sparseRows][i] += value * double(factor[i]);
      }
    }
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[1], columns = call.integer[2];
    const int64_t blocks = unitsOf(rows, sparseRows);
    const int64_t tile = unit / blocks;
    const int64_t first = unit % blocks * sparseRows;
    const int64_t last = smaller(first + sparseRows, rows);
    const int64_t n = smaller(batchTile, call.integer[0] - tile * batchTile);
    Sums sums;
    for (int64_t row = 0; row < sparseRows; row++) {
      for (int64_t i = 0; i < batchTile; i++) sums.sum[row][i] = 0.0;
    }
    for (int64_t column = 0; column < columns; column += wordColumns) {
      widen(call, tile, column, sums);
      for (int64_t row = first; row < last; row++) addQuads(call, row, column, sums);
    }
    for (int64_t i = 0; i < n; i++) {
      for (int64_t row = first; row < last; row++) {
        putValue(call, 3, (tile * batchTile + i) * rows + row, float(sums.sum[row - first][i]));
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
