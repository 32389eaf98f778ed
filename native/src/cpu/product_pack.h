// Panels of the right operand of an integer product, as kernels/products/products.h lays them out: by transposing squares of groups.
#pragma once

#include <immintrin.h>

#include "kernels/products/products.h"

namespace fettle {
namespace FETTLE_TIER {

// `count` bytes of a row with 128 added, behind them 0.
#if defined(__AVX512F__)
using PanelLine = __m512i;

FETTLE_FN PanelLine panelLine(const int8_t* from, int64_t count) {
  const __m512i offset = _mm512_set1_epi8(-128);
  if (count >= 64) return _mm512_xor_si512(_mm512_loadu_si512(from), offset);
  if (count <= 0) return _mm512_setzero_si512();
  const __mmask64 there = (uint64_t(1) << count) - 1;
  return _mm512_maskz_mov_epi8(there, _mm512_xor_si512(_mm512_maskz_loadu_epi8(there, from), offset));
}

FETTLE_FN PanelLine low32(PanelLine a, PanelLine b) { return _mm512_unpacklo_epi32(a, b); }
FETTLE_FN PanelLine high32(PanelLine a, PanelLine b) { return _mm512_unpackhi_epi32(a, b); }
FETTLE_FN PanelLine low64(PanelLine a, PanelLine b) { return _mm512_unpacklo_epi64(a, b); }
FETTLE_FN PanelLine high64(PanelLine a, PanelLine b) { return _mm512_unpackhi_epi64(a, b); }
#else
using PanelLine = __m256i;

FETTLE_FN PanelLine panelLine(const int8_t* from, int64_t count) {
  const __m256i offset = _mm256_set1_epi8(-128);
  if (count >= 32) return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), offset);
  if (count <= 0) return _mm256_setzero_si256();
  alignas(32) uint8_t bytes[32] = {};
  for (int64_t i = 0; i < count; i++) bytes[i] = uint8_t(uint8_t(from[i]) ^ 0x80u);
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes));
}

FETTLE_FN PanelLine low32(PanelLine a, PanelLine b) { return _mm256_unpacklo_epi32(a, b); }
FETTLE_FN PanelLine high32(PanelLine a, PanelLine b) { return _mm256_unpackhi_epi32(a, b); }
FETTLE_FN PanelLine low64(PanelLine a, PanelLine b) { return _mm256_unpacklo_epi64(a, b); }
FETTLE_FN PanelLine high64(PanelLine a, PanelLine b) { return _mm256_unpackhi_epi64(a, b); }
#endif

// row[4 q + j] becomes group j of each 16 bytes of rows 4 q .. 4 q + 3.
template <int rows>
FETTLE_FN void interleaveGroups(PanelLine (&row)[rows]) {
  PanelLine pair[rows];
  for (int r = 0; r < rows; r += 2) {
    pair[r] = low32(row[r], row[r + 1]);
    pair[r + 1] = high32(row[r], row[r + 1]);
  }
  for (int q = 0; q < rows; q += 4) {
    row[q] = low64(pair[q], pair[q + 2]);
    row[q + 1] = high64(pair[q], pair[q + 2]);
    row[q + 2] = low64(pair[q + 1], pair[q + 3]);
    row[q + 3] = high64(pair[q + 1], pair[q + 3]);
  }
}

// Columns firstColumn .. firstColumn + width - 1 of 16 rows, of which `there` exist, to groups in turn; width is a multiple of 64.
static void packColumns(const int8_t* from, int64_t depth, int64_t there, int64_t firstColumn, int64_t width, uint8_t* to) {
#if defined(__AVX512F__)
  for (int64_t column = firstColumn; column < firstColumn + width; column += 64) {
    PanelLine row[16];
    for (int r = 0; r < 16; r++) {
      row[r] = r < there ? panelLine(from + r * depth + column, depth - column) : _mm512_setzero_si512();
    }
    interleaveGroups(row);
    for (int j = 0; j < 4; j++) {
      const __m512i low = _mm512_shuffle_i32x4(row[j], row[4 + j], 0x88);
      const __m512i lowOdd = _mm512_shuffle_i32x4(row[j], row[4 + j], 0xDD);
      const __m512i high = _mm512_shuffle_i32x4(row[8 + j], row[12 + j], 0x88);
      const __m512i highOdd = _mm512_shuffle_i32x4(row[8 + j], row[12 + j], 0xDD);
      _mm512_storeu_si512(to + 64 * j, _mm512_shuffle_i32x4(low, high, 0x88));
      _mm512_storeu_si512(to + 64 * (4 + j), _mm512_shuffle_i32x4(lowOdd, highOdd, 0x88));
      _mm512_storeu_si512(to + 64 * (8 + j), _mm512_shuffle_i32x4(low, high, 0xDD));
      _mm512_storeu_si512(to + 64 * (12 + j), _mm512_shuffle_i32x4(lowOdd, highOdd, 0xDD));
    }
    to += 1024;
  }
#else
  for (int64_t column = firstColumn; column < firstColumn + width; column += 32) {
    for (int half = 0; half < 16; half += 8) {
      PanelLine row[8];
      for (int r = 0; r < 8; r++) {
        const bool exists = half + r < there;
        row[r] = exists ? panelLine(from + (half + r) * depth + column, depth - column) : _mm256_setzero_si256();
      }
      interleaveGroups(row);
      for (int j = 0; j < 4; j++) {
        uint8_t* at = to + 64 * j + 4 * half;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm256_permute2x128_si256(row[j], row[4 + j], 0x20));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at + 256), _mm256_permute2x128_si256(row[j], row[4 + j], 0x31));
      }
    }
    to += 512;
  }
#endif
}

// The sum of a row of bytes: by sums of absolute differences from 0 of the bytes with 128 added.
static int32_t byteSum(const int8_t* row, int64_t depth) {
  int64_t total = 0;
#if defined(__AVX512F__)
  __m512i sum = _mm512_setzero_si512();
  for (int64_t k = 0; k < depth; k += 64) {
    sum = _mm512_add_epi64(sum, _mm512_sad_epu8(panelLine(row + k, depth - k), _mm512_setzero_si512()));
  }
  alignas(64) int64_t lane[8];
  _mm512_store_si512(lane, sum);
  for (int64_t part : lane) total += part;
#else
  __m256i sum = _mm256_setzero_si256();
  for (int64_t k = 0; k < depth; k += 32) {
    sum = _mm256_add_epi64(sum, _mm256_sad_epu8(panelLine(row + k, depth - k), _mm256_setzero_si256()));
  }
  alignas(32) int64_t lane[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lane), sum);
  for (int64_t part : lane) total += part;
#endif
  return int32_t(total - 128 * depth);
}

template <>
struct CpuKernel<ProductPack> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    const int64_t rows = call.integer[0], depth = call.integer[1];
    const int64_t size = panelBytes(depth);
    for (int64_t panel = first; panel < last; panel++) {
      const int8_t* from = arrayOf<const int8_t>(call, 0) + panel * panelRows * depth;
      const int64_t there = smaller(panelRows, rows - panel * panelRows);
      packColumns(from, depth, there, 0, size / panelRows, arrayOf<uint8_t>(call, 1) + panel * size);
      int32_t* sums = arrayOf<int32_t>(call, 2) + panel * panelRows;
      for (int64_t r = 0; r < there; r++) sums[r] = byteSum(from + r * depth, depth);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
