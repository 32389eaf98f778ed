// The paths of an integer product: AVX2, AVX-512 VNNI, AMX.
#pragma once

#include <immintrin.h>

#include "cpu/lanes.h"
#include "cpu/product_pack.h"
#include "kernels/products/products.h"

namespace fettle {
namespace FETTLE_TIER {

enum ProductPath { productAvx2 = 0, productVnni = 1, productAmx = 2 };

// Up to four bytes of a row, the others 0.
FETTLE_FN int32_t groupOf(const int8_t* from, int64_t count) {
  int32_t group = 0;
  memcpy(&group, from, size_t(smaller(4, count)));
  return group;
}

// A tile of the result: what every path is given.
struct ProductTile {
  const int8_t* left;
  const uint8_t* panels;
  const int8_t* right;  // the right operand itself, where it is packed tile by tile
  int64_t depth, panelSize;
  int64_t firstRow, lastRow, firstColumn, lastColumn;
  bool hasExcess;               // of the sums, as the right operand's bytes have 128 added
  int32_t excess[productRows];  // 128 * the sum of a left row
};

FETTLE_FN void placeTile(const fettle_call& call, int64_t unit, ProductTile& t) {
  const int64_t across = unitsOf(call.integer[1], productColumns);
  const int64_t row = unit / across * productRows;
  t.firstColumn = unit % across * productColumns;
  t.lastColumn = smaller(t.firstColumn + productColumns, call.integer[1]);
  if (row == t.firstRow) return;
  // Units side by side have the same rows.
  t.firstRow = row;
  t.lastRow = smaller(row + productRows, call.integer[0]);
  if (!t.hasExcess) return;
  for (int64_t r = row; r < t.lastRow; r++) {
    t.excess[r - row] = int32_t(uint32_t(byteSum(t.left + r * t.depth, t.depth)) * 128u);
  }
}

FETTLE_FN void openTile(const fettle_call& call, ProductTile& t) {
  t.depth = call.integer[2];
  t.panelSize = panelBytes(t.depth);
  t.left = arrayOf<const int8_t>(call, 0);
  t.panels = arrayOf<const uint8_t>(call, 1);
  t.right = arrayOf<const int8_t>(call, 7);
  t.hasExcess = call.integer[4] != productAvx2 && Vector::lanes == 16;
  t.firstRow = t.lastRow = -1;
}

FETTLE_FN void finishSums(const fettle_call& call, const ProductTile& t, int64_t row, int64_t column, int32_t* sums, int n) {
  const uint32_t excess = uint32_t(t.excess[row - t.firstRow]);
  for (int i = 0; i < n; i++) sums[i] = int32_t(uint32_t(sums[i]) - excess);
  finishProduct(call, row, column, sums, n);
}

// Columns of the operands that are gone through at a time, so that what is reused stays near.
constexpr int64_t productDepth = 512;

// The sums of a tile while its depth is gone through.
struct ProductSums {
  alignas(64) int32_t sum[productRows][productColumns];
  int32_t columnSum[productColumns];  // of a right operand that is packed here
};

// Rows are taken in nearly equal blocks of at most `most`.
FETTLE_FN int64_t blockOf(int64_t left, int64_t most) {
  const int64_t blocks = unitsOf(left, most);
  return unitsOf(left, blocks);
}

// 16-bit copies of a part of the operands: a byte as it is.
struct WideParts {
  alignas(32) int16_t left[productRows][productDepth / 2];
  alignas(32) int16_t right[productDepth / 4][panelRows * 2];  // pairs of columns, of each row
};

// Registers by name: of an array the compiler keeps a copy in memory up to date.
struct WideSums {
  __m256i low, high;
};

FETTLE_FN void multiplyPair(WideSums& sum, __m256i low, __m256i high, const int16_t* from) {
  int32_t pair;
  memcpy(&pair, from, 4);
  const __m256i left = _mm256_set1_epi32(pair);
  sum.low = _mm256_add_epi32(sum.low, _mm256_madd_epi16(left, low));
  sum.high = _mm256_add_epi32(sum.high, _mm256_madd_epi16(left, high));
}

FETTLE_FN void storeWide(int32_t* sums, WideSums sum, bool more) {
  __m256i* to = reinterpret_cast<__m256i*>(sums);
  _mm256_store_si256(to, more ? _mm256_add_epi32(_mm256_load_si256(to), sum.low) : sum.low);
  _mm256_store_si256(to + 1, more ? _mm256_add_epi32(_mm256_load_si256(to + 1), sum.high) : sum.high);
}

template <int rows>
__attribute__((noinline)) static void sumsWide(const int16_t* left, const int16_t* right, int64_t pairs, int32_t* sums, bool more) {
  constexpr int64_t stride = productDepth / 2;
  const __m256i zero = _mm256_setzero_si256();
  WideSums sum0 = {zero, zero}, sum1 = sum0, sum2 = sum0, sum3 = sum0;
  for (int64_t k = pairs; k > 0; k--) {
    const __m256i low = _mm256_load_si256(reinterpret_cast<const __m256i*>(right));
    const __m256i high = _mm256_load_si256(reinterpret_cast<const __m256i*>(right + 16));
    multiplyPair(sum0, low, high, left + 0 * stride);
    if constexpr (rows > 1) multiplyPair(sum1, low, high, left + 1 * stride);
    if constexpr (rows > 2) multiplyPair(sum2, low, high, left + 2 * stride);
    if constexpr (rows > 3) multiplyPair(sum3, low, high, left + 3 * stride);
    left += 2;
    right += 2 * panelRows;
  }
  storeWide(sums + 0 * productColumns, sum0, more);
  if constexpr (rows > 1) storeWide(sums + 1 * productColumns, sum1, more);
  if constexpr (rows > 2) storeWide(sums + 2 * productColumns, sum2, more);
  if constexpr (rows > 3) storeWide(sums + 3 * productColumns, sum3, more);
}

// Products of 16 bits, which are exact.
[[maybe_unused]] static void depthWide(const ProductTile& t, int64_t first, int64_t n, ProductSums& sums) {
  WideParts parts;
  alignas(64) uint8_t packed[panelRows * productDepth / 2];
  const int64_t pairs = unitsOf(n, 4) * 2;
  for (int64_t row = t.firstRow; row < t.lastRow; row++) {
    int16_t* to = parts.left[row - t.firstRow];
    const int8_t* from = t.left + row * t.depth + first;
    for (int64_t k = 0; k < n; k++) to[k] = from[k];
    for (int64_t k = n; k < 2 * pairs; k++) to[k] = 0;
  }
  for (int64_t column = t.firstColumn; column < t.lastColumn; column += panelRows) {
    const uint8_t* b = packed;
    if (t.right == nullptr) {
      b = t.panels + column / panelRows * t.panelSize + first * panelRows;
    } else {
      const int64_t there = smaller(panelRows, t.lastColumn - column);
      packColumns(t.right + column * t.depth, t.depth, there, first, unitsOf(n, panelDepth) * panelDepth, packed);
    }
    // A group of four becomes two pairs, 16 groups side by side.
    for (int64_t g = 0; 2 * g < pairs; g++) {
      for (int q = 0; q < 4; q++) {
        const __m128i groups = _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + g * 64 + 16 * q)), _mm_set1_epi8(-128));
        const __m128i even = _mm_shuffle_epi8(groups, _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
        const __m256i wide = _mm256_cvtepi8_epi16(even);
        _mm_store_si128(reinterpret_cast<__m128i*>(parts.right[2 * g] + 8 * q), _mm256_castsi256_si128(wide));
        _mm_store_si128(reinterpret_cast<__m128i*>(parts.right[2 * g + 1] + 8 * q), _mm256_extracti128_si256(wide, 1));
      }
    }
    int64_t row = 0;
    const int64_t rows = t.lastRow - t.firstRow;
    while (row < rows) {
      int32_t* to = sums.sum[row] + (column - t.firstColumn);
      const int64_t block = blockOf(rows - row, 4);
      switch (block) {
        case 4: sumsWide<4>(parts.left[row], parts.right[0], pairs, to, first > 0); break;
        case 3: sumsWide<3>(parts.left[row], parts.right[0], pairs, to, first > 0); break;
        case 2: sumsWide<2>(parts.left[row], parts.right[0], pairs, to, first > 0); break;
        default: sumsWide<1>(parts.left[row], parts.right[0], pairs, to, first > 0); break;
      }
      row += block;
    }
  }
}

#if defined(__AVX512F__)

// What a block of sums is made of: left rows, and panels from the same column on.
struct VnniBlock {
  const int8_t* left;
  int64_t leftStride;
  const uint8_t* right;
  int64_t panelSize;
  int64_t groups;  // of four columns
  bool more;       // than what the sums hold already
};

struct FourPanels {
  __m512i first, second, third, fourth;
};

template <int panels>
__attribute__((target("avx512vnni"), always_inline)) static inline void multiplyGroup(FourPanels& sum, const FourPanels& right, __m512i left) {
  sum.first = _mm512_dpbusd_epi32(sum.first, right.first, left);
  if constexpr (panels > 1) sum.second = _mm512_dpbusd_epi32(sum.second, right.second, left);
  if constexpr (panels > 2) sum.third = _mm512_dpbusd_epi32(sum.third, right.third, left);
  if constexpr (panels > 3) sum.fourth = _mm512_dpbusd_epi32(sum.fourth, right.fourth, left);
}

FETTLE_FN __m512i repeatedGroup(const int8_t* from) {
  int32_t group;
  memcpy(&group, from, 4);
  __m512i left = _mm512_set1_epi32(group);
  // One load for all panels: the compiler would load it anew for each.
  __asm__("" : "+v"(left));
  return left;
}

FETTLE_FN __m512i withSum(const int32_t* sums, __m512i sum, bool more) {
  return more ? _mm512_add_epi32(_mm512_load_si512(sums), sum) : sum;
}

template <int panels>
FETTLE_FN void storePanels(int32_t* to, const FourPanels& sum, bool more) {
  _mm512_store_si512(to, withSum(to, sum.first, more));
  if constexpr (panels > 1) _mm512_store_si512(to + panelRows, withSum(to + panelRows, sum.second, more));
  if constexpr (panels > 2) _mm512_store_si512(to + 2 * panelRows, withSum(to + 2 * panelRows, sum.third, more));
  if constexpr (panels > 3) _mm512_store_si512(to + 3 * panelRows, withSum(to + 3 * panelRows, sum.fourth, more));
}

template <int panels>
FETTLE_FN FourPanels loadPanels(const uint8_t* from, int64_t size) {
  FourPanels right;
  right.first = right.second = right.third = right.fourth = _mm512_loadu_si512(from);
  if constexpr (panels > 1) right.second = _mm512_loadu_si512(from + size);
  if constexpr (panels > 2) right.third = _mm512_loadu_si512(from + 2 * size);
  if constexpr (panels > 3) right.fourth = _mm512_loadu_si512(from + 3 * size);
  return right;
}

// Sums of `rows` rows by `panels` panels of 16 columns.
template <int rows, int panels>
__attribute__((target("avx512vnni"), noinline)) static void sumsVnni(const VnniBlock& block, int32_t* sums) {
  const int8_t* a = block.left;
  const uint8_t* b = block.right;
  const int64_t stride = block.leftStride;
  const int64_t size = block.panelSize;
  const __m512i zero = _mm512_setzero_si512();
  FourPanels sum0 = {zero, zero, zero, zero}, sum1 = sum0, sum2 = sum0, sum3 = sum0, sum4 = sum0, sum5 = sum0;
  for (int64_t k = block.groups; k > 0; k--) {
    const FourPanels right = loadPanels<panels>(b, size);
    multiplyGroup<panels>(sum0, right, repeatedGroup(a + 0 * stride));
    if constexpr (rows > 1) multiplyGroup<panels>(sum1, right, repeatedGroup(a + 1 * stride));
    if constexpr (rows > 2) multiplyGroup<panels>(sum2, right, repeatedGroup(a + 2 * stride));
    if constexpr (rows > 3) multiplyGroup<panels>(sum3, right, repeatedGroup(a + 3 * stride));
    if constexpr (rows > 4) multiplyGroup<panels>(sum4, right, repeatedGroup(a + 4 * stride));
    if constexpr (rows > 5) multiplyGroup<panels>(sum5, right, repeatedGroup(a + 5 * stride));
    a += 4;
    b += 4 * panelRows;
  }
  storePanels<panels>(sums + 0 * productColumns, sum0, block.more);
  if constexpr (rows > 1) storePanels<panels>(sums + 1 * productColumns, sum1, block.more);
  if constexpr (rows > 2) storePanels<panels>(sums + 2 * productColumns, sum2, block.more);
  if constexpr (rows > 3) storePanels<panels>(sums + 3 * productColumns, sum3, block.more);
  if constexpr (rows > 4) storePanels<panels>(sums + 4 * productColumns, sum4, block.more);
  if constexpr (rows > 5) storePanels<panels>(sums + 5 * productColumns, sum5, block.more);
}

template <int panels>
static void rowsVnni(VnniBlock block, int64_t rows, int32_t* sums) {
  // Four panels leave registers for the sums of six rows.
  while (rows > 0) {
    const int64_t taken = blockOf(rows, 6);
    switch (taken) {
      case 6: sumsVnni<6, panels>(block, sums); break;
      case 5: sumsVnni<5, panels>(block, sums); break;
      case 4: sumsVnni<4, panels>(block, sums); break;
      case 3: sumsVnni<3, panels>(block, sums); break;
      case 2: sumsVnni<2, panels>(block, sums); break;
      default: sumsVnni<1, panels>(block, sums); break;
    }
    rows -= taken;
    block.left += taken * block.leftStride;
    sums += taken * productColumns;
  }
}

static void blockVnni(const VnniBlock& block, int64_t rows, int panels, int32_t* sums) {
  if (block.groups == 0) return;
  switch (panels) {
    case 4: rowsVnni<4>(block, rows, sums); break;
    case 3: rowsVnni<3>(block, rows, sums); break;
    case 2: rowsVnni<2>(block, rows, sums); break;
    default: rowsVnni<1>(block, rows, sums); break;
  }
}

static void depthVnni(const ProductTile& t, int64_t first, int64_t n, ProductSums& sums) {
  constexpr int most = 4;
  alignas(64) uint8_t packed[most * panelRows * productDepth];
  // The group at the end of the rows, where it is not whole.
  int32_t lastGroups[productRows];
  const int8_t* left = t.left + t.firstRow * t.depth + first;
  const int64_t rows = t.lastRow - t.firstRow;
  const int64_t rest = n % 4;
  for (int64_t r = 0; rest != 0 && r < rows; r++) lastGroups[r] = groupOf(left + r * t.depth + n - rest, rest);
  for (int64_t column = t.firstColumn; column < t.lastColumn; column += most * panelRows) {
    VnniBlock block = {left, t.depth, t.panels, t.panelSize, n / 4, first > 0};
    const int panels = int(smaller(most, unitsOf(t.lastColumn - column, panelRows)));
    if (t.right == nullptr) {
      block.right = t.panels + column / panelRows * t.panelSize + first * panelRows;
    } else {
      block.panelSize = panelRows * productDepth;
      block.right = packed;
      for (int p = 0; p < panels; p++) {
        const int64_t at = column + p * panelRows;
        const int64_t there = smaller(panelRows, t.lastColumn - at);
        const int64_t width = unitsOf(n, panelDepth) * panelDepth;
        packColumns(t.right + at * t.depth, t.depth, there, first, width, packed + p * block.panelSize);
      }
    }
    int32_t* to = sums.sum[0] + (column - t.firstColumn);
    blockVnni(block, rows, panels, to);
    if (rest != 0) {
      block.left = reinterpret_cast<const int8_t*>(lastGroups);
      block.leftStride = 4;
      block.right += block.groups * 4 * panelRows;
      block.more = block.more || block.groups > 0;
      block.groups = 1;
      blockVnni(block, rows, panels, to);
    }
  }
}

#include "cpu/product_amx.h"

#endif

// 32-bit integers that wrap.
struct Integers {
#if defined(__AVX512F__)
  __m512i v;
  FETTLE_INLINE explicit Integers(__m512i value) : v(value) {}
  FETTLE_INLINE explicit Integers(int32_t value) : v(_mm512_set1_epi32(value)) {}
  FETTLE_FN Integers load(const int32_t* from) { return Integers(_mm512_loadu_si512(from)); }
  FETTLE_FN Integers loadPart(const int32_t* from, int count) {
    return Integers(_mm512_maskz_loadu_epi32(Vector::firstLanes(count), from));
  }
  FETTLE_INLINE void storePart(int32_t* to, int count) const { _mm512_mask_storeu_epi32(to, Vector::firstLanes(count), v); }
  FETTLE_INLINE Vector floats() const { return _mm512_cvtepi32_ps(v); }
  FETTLE_INLINE Integers operator-(Integers b) const { return Integers(_mm512_sub_epi32(v, b.v)); }
  FETTLE_INLINE Integers operator*(Integers b) const { return Integers(_mm512_mullo_epi32(v, b.v)); }
#else
  __m256i v;
  FETTLE_INLINE explicit Integers(__m256i value) : v(value) {}
  FETTLE_INLINE explicit Integers(int32_t value) : v(_mm256_set1_epi32(value)) {}
  FETTLE_FN Integers load(const int32_t* from) {
    return Integers(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  FETTLE_FN Integers loadPart(const int32_t* from, int count) {
    return Integers(_mm256_maskload_epi32(from, Vector::firstLanes(count)));
  }
  FETTLE_INLINE void storePart(int32_t* to, int count) const { _mm256_maskstore_epi32(to, Vector::firstLanes(count), v); }
  FETTLE_INLINE Vector floats() const { return _mm256_cvtepi32_ps(v); }
  FETTLE_INLINE Integers operator-(Integers b) const { return Integers(_mm256_sub_epi32(v, b.v)); }
  FETTLE_INLINE Integers operator*(Integers b) const { return Integers(_mm256_mullo_epi32(v, b.v)); }
#endif
};

// finishProduct for a row of a tile, by vectors; the sums have `excess` too much.
FETTLE_FN void finishRow(const fettle_call& call, int64_t row, int64_t column, const int32_t* sums, uint32_t excess, const int32_t* columnSums,
                         int n) {
  const int64_t at = row * call.integer[1] + column;
  const Integers excesses{int32_t(excess)};
  const int32_t zeroPoint = int32_t(call.integer[3]);
  if (call.dtype[2] == FETTLE_I32) {
    int32_t* out = arrayOf<int32_t>(call, 2) + at;
    for (int i = 0; i < n; i += Vector::lanes) {
      const int count = n - i < Vector::lanes ? n - i : Vector::lanes;
      Integers sum = Integers::load(sums + i) - excesses;
      if (zeroPoint != 0) sum = sum - Integers(zeroPoint) * Integers::loadPart(columnSums + i, count);
      sum.storePart(out + i, count);
    }
    return;
  }
  const Vector rowScale(call.array[3] != nullptr ? arrayOf<const float>(call, 3)[row * call.integer[5]] : 1.0f);
  const float* columnScales = arrayOf<const float>(call, 4);
  const bool oneScale = call.integer[6] == 0;
  const float* bias = arrayOf<const float>(call, 5);
  const Vector multiplier(float(call.number[0]));
  const bool floats = call.dtype[2] == FETTLE_F32;
  float* out = arrayOf<float>(call, 2) + (floats ? at : 0);
  for (int i = 0; i < n; i += Vector::lanes) {
    const int count = n - i < Vector::lanes ? n - i : Vector::lanes;
    Integers sum = Integers::load(sums + i) - excesses;
    if (zeroPoint != 0) sum = sum - Integers(zeroPoint) * Integers::loadPart(columnSums + i, count);
    Vector y = sum.floats();
    if (columnScales != nullptr) {
      y = y * (oneScale ? Vector(columnScales[0]) : Vector::loadPart(columnScales + column + i, count));
    }
    y = y * rowScale;
    if (bias != nullptr) y = y + Vector::loadPart(bias + column + i, count);
    if (floats) {
      y.storePart(out + i, count);
      continue;
    }
    // Limits are integers: rounding may come behind them.
    const Vector code = greater(lesser(zeroForNan(y * multiplier), Vector(127.0f)), Vector(-128.0f));
    uint8_t bytes[16];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), bytesOfLanes<true>(roundedTo32(code)));
    memcpy(arrayOf<int8_t>(call, 2) + at + i, bytes, size_t(count));
  }
}

static void productTile(const fettle_call& call, const ProductTile& t, ProductSums& sums) {
  bool vnni = false;
#if defined(__AVX512F__)
  vnni = call.integer[4] == productVnni;
#endif
  // A product of no columns is 0.
  if (t.depth == 0) memset(sums.sum, 0, sizeof sums.sum);
  const int64_t part = vnni ? productDepth : productDepth / 2;
  for (int64_t first = 0; first < t.depth; first += part) {
    const int64_t n = smaller(part, t.depth - first);
#if defined(__AVX512F__)
    if (vnni) {
      depthVnni(t, first, n, sums);
      continue;
    }
#endif
    depthWide(t, first, n, sums);
  }
  const int columns = int(t.lastColumn - t.firstColumn);
  const int32_t* columnSums = arrayOf<const int32_t>(call, 6) + t.firstColumn;
  if (t.right != nullptr && call.integer[3] != 0) {
    for (int c = 0; c < columns; c++) sums.columnSum[c] = byteSum(t.right + (t.firstColumn + c) * t.depth, t.depth);
    columnSums = sums.columnSum;
  }
  for (int64_t row = t.firstRow; row < t.lastRow; row++) {
    const uint32_t excess = vnni ? uint32_t(t.excess[row - t.firstRow]) : 0;
    finishRow(call, row, t.firstColumn, sums.sum[row - t.firstRow], excess, columnSums, columns);
  }
}

static void productRange(const fettle_call& call, int64_t first, int64_t last) {
#if defined(__AVX512F__)
  if (call.integer[4] == productAmx) {
    rangeAmx(call, first, last);
    return;
  }
#endif
  ProductTile t;
  ProductSums sums;
  openTile(call, t);
  for (int64_t unit = first; unit < last; unit++) {
    placeTile(call, unit, t);
    productTile(call, t, sums);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
