// The paths of an integer product: AVX2, AVX-512 VNNI, AMX.
#pragma once

#include <immintrin.h>

#include "kernels/products/products.h"

namespace fettle {
namespace FETTLE_TIER {

enum ProductPath { productAvx2 = 0, productVnni = 1, productAmx = 2 };

// Up to four bytes of a row, the others 0.
FETTLE_FN int32_t groupOf(const int8_t* row, int64_t k, int64_t depth) {
  int32_t group = 0;
  memcpy(&group, row + k, size_t(smaller(4, depth - k)));
  return group;
}

static int32_t rowSum(const int8_t* row, int64_t depth) {
  int32_t sum = 0;
  for (int64_t k = 0; k < depth; k++) sum += row[k];
  return sum;
}

// A tile of the result: what every path is given.
struct ProductTile {
  const int8_t* left;
  const uint8_t* panels;
  int64_t depth, panelSize;
  int64_t firstRow, lastRow, firstColumn, lastColumn;
  int32_t excess[productRows];  // 128 * the sum of a left row
};

FETTLE_FN ProductTile productTile(const fettle_call& call, int64_t unit) {
  ProductTile t;
  t.depth = call.integer[2];
  t.panelSize = panelBytes(t.depth);
  const int64_t across = unitsOf(call.integer[1], productColumns);
  t.left = arrayOf<const int8_t>(call, 0);
  t.panels = arrayOf<const uint8_t>(call, 1);
  t.firstRow = unit / across * productRows;
  t.firstColumn = unit % across * productColumns;
  t.lastRow = smaller(t.firstRow + productRows, call.integer[0]);
  t.lastColumn = smaller(t.firstColumn + productColumns, call.integer[1]);
  for (int64_t r = t.firstRow; r < t.lastRow; r++) {
    t.excess[r - t.firstRow] = int32_t(uint32_t(rowSum(t.left + r * t.depth, t.depth)) * 128u);
  }
  return t;
}

// Sums of `rows` rows by 16 columns with 16-bit products, which are exact: a byte with 128 added times a byte fits.
template <int rows>
static inline __attribute__((always_inline)) void sumsAvx2(const ProductTile& t, int64_t row, int64_t column, int32_t* sums) {
  const int8_t* a = t.left + row * t.depth;
  const uint8_t* b = t.panels + column / panelRows * t.panelSize;
  __m256i sum[rows][4];
  for (int r = 0; r < rows; r++) {
    for (int q = 0; q < 4; q++) sum[r][q] = _mm256_setzero_si256();
  }
  for (int64_t k = 0; k < t.depth; k += 4) {
    __m256i left[rows];
    for (int r = 0; r < rows; r++) {
      const int32_t group = groupOf(a + r * t.depth, k, t.depth);
      left[r] = _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(group)));
    }
    for (int q = 0; q < 4; q++) {
      const __m256i right = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + k * panelRows + 16 * q)));
      for (int r = 0; r < rows; r++) sum[r][q] = _mm256_add_epi32(sum[r][q], _mm256_madd_epi16(left[r], right));
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int q = 0; q < 4; q += 2) {
      // Each column has two partial sums side by side.
      const __m256i pairs = _mm256_hadd_epi32(sum[r][q], sum[r][q + 1]);
      const __m256i ordered = _mm256_permute4x64_epi64(pairs, 0xD8);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + r * panelRows + 4 * q), ordered);
    }
  }
}

FETTLE_FN void finishSums(const fettle_call& call, const ProductTile& t, int64_t row, int64_t column, int32_t* sums, int n) {
  const uint32_t excess = uint32_t(t.excess[row - t.firstRow]);
  for (int i = 0; i < n; i++) sums[i] = int32_t(uint32_t(sums[i]) - excess);
  finishProduct(call, row, column, sums, n);
}

[[maybe_unused]] static void tileAvx2(const fettle_call& call, const ProductTile& t) {
  int32_t sums[3 * panelRows];
  for (int64_t column = t.firstColumn; column < t.lastColumn; column += panelRows) {
    const int n = int(smaller(panelRows, t.lastColumn - column));
    int64_t row = t.firstRow;
    while (row < t.lastRow) {
      const int rows = t.lastRow - row >= 3 ? 3 : 1;
      if (rows == 3) {
        sumsAvx2<3>(t, row, column, sums);
      } else {
        sumsAvx2<1>(t, row, column, sums);
      }
      for (int r = 0; r < rows; r++) finishSums(call, t, row + r, column, sums + r * panelRows, n);
      row += rows;
    }
  }
}

#if defined(__AVX512F__)

// Sums of `rows` rows by `panels` panels of 16 columns.
template <int rows, int panels>
__attribute__((target("avx512vnni"), noinline)) static void sumsVnni(const ProductTile& t, int64_t row, int64_t column, int32_t* sums) {
  const int8_t* a = t.left + row * t.depth;
  const uint8_t* b = t.panels + column / panelRows * t.panelSize;
  __m512i sum[rows][panels];
  for (int r = 0; r < rows; r++) {
    for (int p = 0; p < panels; p++) sum[r][p] = _mm512_setzero_si512();
  }
  const int64_t whole = t.depth / 4 * 4;
  for (int64_t k = 0; k < whole; k += 4) {
    __m512i right[panels];
    for (int p = 0; p < panels; p++) right[p] = _mm512_loadu_si512(b + p * t.panelSize + k * panelRows);
    for (int r = 0; r < rows; r++) {
      int32_t group;
      memcpy(&group, a + r * t.depth + k, 4);
      const __m512i left = _mm512_set1_epi32(group);
      for (int p = 0; p < panels; p++) sum[r][p] = _mm512_dpbusd_epi32(sum[r][p], right[p], left);
    }
  }
  if (whole < t.depth) {
    for (int r = 0; r < rows; r++) {
      int32_t group = 0;
      memcpy(&group, a + r * t.depth + whole, size_t(t.depth - whole));
      const __m512i left = _mm512_set1_epi32(group);
      for (int p = 0; p < panels; p++) {
        const __m512i right = _mm512_loadu_si512(b + p * t.panelSize + whole * panelRows);
        sum[r][p] = _mm512_dpbusd_epi32(sum[r][p], right, left);
      }
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int p = 0; p < panels; p++) _mm512_storeu_si512(sums + (r * panels + p) * panelRows, sum[r][p]);
  }
}

template <int panels>
static inline __attribute__((always_inline)) void columnsVnni(const fettle_call& call, const ProductTile& t, int64_t column) {
  constexpr int most = 8;
  int32_t sums[most * panels * panelRows];
  const int n = int(smaller(panels * panelRows, t.lastColumn - column));
  int64_t row = t.firstRow;
  while (row < t.lastRow) {
    const int64_t left = t.lastRow - row;
    const int rows = left >= most ? most : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    switch (rows) {
      case most: sumsVnni<most, panels>(t, row, column, sums); break;
      case 4: sumsVnni<4, panels>(t, row, column, sums); break;
      case 2: sumsVnni<2, panels>(t, row, column, sums); break;
      default: sumsVnni<1, panels>(t, row, column, sums); break;
    }
    for (int r = 0; r < rows; r++) finishSums(call, t, row + r, column, sums + r * panels * panelRows, n);
    row += rows;
  }
}

static void tileVnni(const fettle_call& call, const ProductTile& t) {
  int64_t column = t.firstColumn;
  for (; t.lastColumn - column > panelRows; column += 2 * panelRows) columnsVnni<2>(call, t, column);
  if (column < t.lastColumn) columnsVnni<1>(call, t, column);
}

#include "cpu/product_amx.h"

#endif

static void productRange(const fettle_call& call, int64_t first, int64_t last) {
#if defined(__AVX512F__)
  if (call.integer[4] == productAmx) {
    rangeAmx(call, first, last);
    return;
  }
#endif
  for (int64_t unit = first; unit < last; unit++) {
    const ProductTile t = productTile(call, unit);
#if defined(__AVX512F__)
    if (call.integer[4] == productVnni) {
      tileVnni(call, t);
      continue;
    }
#endif
    tileAvx2(call, t);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
