// Products of matrices of integers and of signs: exact, so the order of additions is free. Twin:
// org.fettle.internal.kernels.IntegerProductKernels.
#pragma once

#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

// How the right operand is packed: panels of 16 of its rows, in which a group of four columns of every row stands together; the
// bytes have 128 added, columns are padded to 64, and the padding is 0.
constexpr int64_t panelRows = 16;
constexpr int64_t panelDepth = 64;

// Bytes of a panel for rows of `depth` columns.
FETTLE_FN int64_t panelBytes(int64_t depth) { return unitsOf(depth, panelDepth) * panelDepth * panelRows; }

// arrays: 0 I8 right operand, rows x depth; 1 U8 panels; 2 I32 sums of the rows. integers: 0 rows, 1 depth. A unit is a panel.
struct ProductPack {
  FETTLE_FN void unit(const fettle_call& call, int64_t panel) {
    const int64_t rows = call.integer[0], depth = call.integer[1];
    uint8_t* to = arrayOf<uint8_t>(call, 1) + panel * panelBytes(depth);
    const int64_t groups = unitsOf(depth, panelDepth) * (panelDepth / 4);
    for (int64_t r = 0; r < panelRows; r++) {
      const int64_t row = panel * panelRows + r;
      const int8_t* from = arrayOf<const int8_t>(call, 0) + (row < rows ? row : 0) * depth;
      const int64_t there = row < rows ? depth : 0;
      int32_t sum = 0;
      int64_t k = 0;
      for (; k + 4 <= there; k += 4) {
        uint32_t group;
        memcpy(&group, from + k, 4);
        group ^= 0x80808080u;
        memcpy(to + (k / 4 * panelRows + r) * 4, &group, 4);
      }
      for (int64_t i = 0; i < there; i++) sum += from[i];
      for (; k < groups * 4; k++) {
        to[(k / 4 * panelRows + r) * 4 + k % 4] = k < there ? uint8_t(uint8_t(from[k]) ^ 0x80u) : uint8_t(0);
      }
      if (row < rows) arrayOf<int32_t>(call, 2)[row] = sum;
    }
  }
};

constexpr int64_t productRows = 64;
constexpr int64_t productColumns = 128;

// What becomes of n sums of one row, from a column on: float(acc) * column scale, * row scale, + bias, each rounded once.
FETTLE_FN void finishProduct(const fettle_call& call, int64_t row, int64_t column, const int32_t* sums, int n) {
  const int64_t at = row * call.integer[1] + column;
  const int32_t zero = int32_t(call.integer[3]);
  const int32_t* columnSums = arrayOf<const int32_t>(call, 6) + column;
  if (call.dtype[2] == FETTLE_I32) {
    int32_t* out = arrayOf<int32_t>(call, 2) + at;
    for (int i = 0; i < n; i++) out[i] = int32_t(uint32_t(sums[i]) - uint32_t(zero) * uint32_t(columnSums[i]));
    return;
  }
  const float rowScale = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[row * call.integer[5]] : 1.0f;
  const float* columnScales = arrayOf<const float>(call, 4);
  const float* bias = arrayOf<const float>(call, 5);
  const float multiplier = float(call.number[0]);
  for (int i = 0; i < n; i++) {
    float y = float(int32_t(uint32_t(sums[i]) - uint32_t(zero) * uint32_t(columnSums[i])));
    if (columnScales != nullptr) y = y * columnScales[(column + i) * call.integer[6]];
    y = y * rowScale;
    if (bias != nullptr) y = y + bias[column + i];
    if (call.dtype[2] == FETTLE_F32) {
      arrayOf<float>(call, 2)[at + i] = y;
    } else {
      const float code = ::rintf(y * multiplier);
      const float limited = code > 127.0f ? 127.0f : code < -128.0f ? -128.0f : code == code ? code : 0.0f;
      arrayOf<int8_t>(call, 2)[at + i] = int8_t(limited);
    }
  }
}

// arrays: 0 I8 left operand, rows x depth; 1 panels of the right one; 2 I32, F32 or I8 result, rows x columns; 3 F32 row scales, 4 F32
// column scales, 5 F32 bias, each or none; 6 I32 sums of the right operand's rows. integers: 0 rows, 1 columns, 2 depth,
// 3 zero point of the left operand, 4 path, 5 and 6 strides of the row and column scales: 1, or 0 for one in all. number 0: what
// an I8 result is multiplied by before it is rounded. A unit is a tile of 64 x 128. Panels start at a multiple of 16 bytes.
// With few rows the CPU tiers' paths but AMX can do without panels and sums (arrays 1 and 6 none): given the right operand as
// array 7, they pack what a tile needs of it. The plain unit below and AMX know no array 7.
struct IntegerProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[0], columns = call.integer[1], depth = call.integer[2];
    const int64_t across = unitsOf(columns, productColumns);
    const int64_t firstRow = unit / across * productRows, firstColumn = unit % across * productColumns;
    const int64_t lastRow = smaller(firstRow + productRows, rows), lastColumn = smaller(firstColumn + productColumns, columns);
    for (int64_t row = firstRow; row < lastRow; row++) {
      const int8_t* a = arrayOf<const int8_t>(call, 0) + row * depth;
      for (int64_t column = firstColumn; column < lastColumn; column++) {
        const uint8_t* b = arrayOf<const uint8_t>(call, 1) + column / panelRows * panelBytes(depth) + column % panelRows * 4;
        uint32_t sum = 0;
        for (int64_t k = 0; k < depth; k++) sum += uint32_t(a[k] * (int32_t(b[k / 4 * panelRows * 4 + k % 4]) - 128));
        const int32_t signedSum = int32_t(sum);
        finishProduct(call, row, column, &signedSum, 1);
      }
    }
  }
};

constexpr int64_t blockSide = 32;

// Products of matrices with a scale per 32 x 32 block. arrays: 0 I8 left, rows x depth; 1 F32 its scales; 2 I8 right, columns x
// depth; 3 F32 its scales; 4 F32 result. integers: 0 rows, 1 columns, 2 depth. The blocks of a sum are added in order, each by one
// fma of its exact integer. A unit is a block of the result.
struct BlockProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[0], columns = call.integer[1], depth = call.integer[2];
    const int64_t across = unitsOf(columns, blockSide), blocks = unitsOf(depth, blockSide);
    const int64_t blockRow = unit / across, blockColumn = unit % across;
    const int64_t lastRow = smaller((blockRow + 1) * blockSide, rows), lastColumn = smaller((blockColumn + 1) * blockSide, columns);
    for (int64_t row = blockRow * blockSide; row < lastRow; row++) {
      for (int64_t column = blockColumn * blockSide; column < lastColumn; column++) {
        const int8_t* a = arrayOf<const int8_t>(call, 0) + row * depth;
        const int8_t* b = arrayOf<const int8_t>(call, 2) + column * depth;
        float y = 0.0f;
        for (int64_t block = 0; block < blocks; block++) {
          int32_t sum = 0;
          const int64_t last = smaller((block + 1) * blockSide, depth);
          for (int64_t k = block * blockSide; k < last; k++) sum += int32_t(a[k]) * int32_t(b[k]);
          const float scale = arrayOf<const float>(call, 1)[blockRow * blocks + block] *
                              arrayOf<const float>(call, 3)[blockColumn * blocks + block];
          y = fma(float(sum), scale, y);
        }
        arrayOf<float>(call, 4)[row * columns + column] = y;
      }
    }
  }
};

FETTLE_FN int32_t bitCount(uint64_t word) {
#if defined(__CUDA_ARCH__)
  return __popcll(word);
#else
  return __builtin_popcountll(word);
#endif
}

// Products of rows of signs: depth - 2 * popcount(a xor b). arrays: 0 I64 left, rows x words; 1 I64 right, columns x words; 2 I32 sums,
// or F32 sums * scale of the column; 3 F32 scales or none. integers: 0 rows, 1 columns, 2 depth. A unit is a row and 64 columns.
struct BinaryProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t columns = call.integer[1], depth = call.integer[2], words = unitsOf(depth, 64);
    const int64_t across = unitsOf(columns, 64), row = unit / across;
    const uint64_t* a = arrayOf<const uint64_t>(call, 0) + row * words;
    const int64_t last = smaller((unit % across + 1) * 64, columns);
    for (int64_t column = unit % across * 64; column < last; column++) {
      const uint64_t* b = arrayOf<const uint64_t>(call, 1) + column * words;
      int64_t differing = 0;
      for (int64_t w = 0; w < words; w++) differing += bitCount(a[w] ^ b[w]);
      const int32_t sum = int32_t(depth - 2 * differing);
      if (call.dtype[2] == FETTLE_I32) {
        arrayOf<int32_t>(call, 2)[row * columns + column] = sum;
      } else {
        const float scale = call.array[3] != nullptr ? arrayOf<const float>(call, 3)[column] : 1.0f;
        arrayOf<float>(call, 2)[row * columns + column] = float(sum) * scale;
      }
    }
  }
};

constexpr int64_t transposedColumns = 256;

// left^T right in full precision: sums over rows, in order, in double. arrays: 0 F32 left, depth x rows; 1 F32 right, depth x columns;
// 2 F32 result. integers: 0 rows, 1 columns, 2 depth. A unit is 256 columns of a row of the result.
struct TransposedProduct {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t rows = call.integer[0], columns = call.integer[1], depth = call.integer[2];
    const int64_t across = unitsOf(columns, transposedColumns), row = unit / across;
    const int64_t first = unit % across * transposedColumns;
    const int n = int(smaller(transposedColumns, columns - first));
    double sums[transposedColumns];
    for (int i = 0; i < n; i++) sums[i] = 0.0;
    for (int64_t k = 0; k < depth; k++) {
      const double left = double(arrayOf<const float>(call, 0)[k * rows + row]);
      const float* right = arrayOf<const float>(call, 1) + k * columns + first;
      for (int i = 0; i < n; i++) sums[i] += left * double(right[i]);
    }
    for (int i = 0; i < n; i++) arrayOf<float>(call, 2)[row * columns + first + i] = float(sums[i]);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
