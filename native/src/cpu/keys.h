// Vectors of selection keys (kernels/select/keys.h) for the CPU tiers: comparisons give a bit per lane.
#pragma once

#include <immintrin.h>

#include "kernels/select/keys.h"

namespace fettle {
namespace FETTLE_TIER {

#if defined(__AVX512F__)

struct Keys {
  static constexpr int lanes = 16;
  __m512i v;
  FETTLE_FN Keys of(int32_t key) { return {_mm512_set1_epi32(key)}; }
  FETTLE_INLINE void store(int32_t* to) const { _mm512_storeu_si512(to, v); }
};

FETTLE_FN uint32_t above(Keys a, Keys b) { return _mm512_cmpgt_epi32_mask(a.v, b.v); }
FETTLE_FN uint32_t equal(Keys a, Keys b) { return _mm512_cmpeq_epi32_mask(a.v, b.v); }

template <int64_t dtype, int64_t kind>
FETTLE_FN Keys loadKeys(const void* values, int64_t i) {
  __m512i bits;
  if constexpr (dtype == FETTLE_F32) {
    bits = _mm512_loadu_si512(reinterpret_cast<const float*>(values) + i);
  } else {
    const uint16_t* codes = reinterpret_cast<const uint16_t*>(values) + i;
    bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes))), 16);
  }
  const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(INT32_MAX));
  const __mmask16 nan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(int32_t(infinityBits<dtype>)));
  if constexpr (kind == magnitudeKey) {
    return {_mm512_mask_mov_epi32(magnitude, nan, _mm512_set1_epi32(nanMagnitude<dtype>))};
  } else {
    const __m512i flip = _mm512_and_si512(_mm512_srai_epi32(bits, 31), _mm512_set1_epi32(INT32_MAX));
    const __mmask16 other = _mm512_test_epi32_mask(magnitude, magnitude);
    const __m512i key = _mm512_maskz_xor_epi32(other, bits, flip);
    return {_mm512_mask_mov_epi32(key, nan, _mm512_set1_epi32(INT32_MAX))};
  }
}

#else

struct Keys {
  static constexpr int lanes = 8;
  __m256i v;
  FETTLE_FN Keys of(int32_t key) { return {_mm256_set1_epi32(key)}; }
  FETTLE_INLINE void store(int32_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
};

FETTLE_FN uint32_t lanesOf(__m256i mask) { return uint32_t(_mm256_movemask_ps(_mm256_castsi256_ps(mask))); }
FETTLE_FN uint32_t above(Keys a, Keys b) { return lanesOf(_mm256_cmpgt_epi32(a.v, b.v)); }
FETTLE_FN uint32_t equal(Keys a, Keys b) { return lanesOf(_mm256_cmpeq_epi32(a.v, b.v)); }

template <int64_t dtype, int64_t kind>
FETTLE_FN Keys loadKeys(const void* values, int64_t i) {
  __m256i bits;
  if constexpr (dtype == FETTLE_F32) {
    bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(reinterpret_cast<const float*>(values) + i));
  } else {
    const uint16_t* codes = reinterpret_cast<const uint16_t*>(values) + i;
    bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes))), 16);
  }
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(INT32_MAX));
  const __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(int32_t(infinityBits<dtype>)));
  if constexpr (kind == magnitudeKey) {
    return {_mm256_blendv_epi8(magnitude, _mm256_set1_epi32(nanMagnitude<dtype>), nan)};
  } else {
    const __m256i flip = _mm256_and_si256(_mm256_srai_epi32(bits, 31), _mm256_set1_epi32(INT32_MAX));
    const __m256i zero = _mm256_cmpeq_epi32(magnitude, _mm256_setzero_si256());
    const __m256i key = _mm256_andnot_si256(zero, _mm256_xor_si256(bits, flip));
    return {_mm256_blendv_epi8(key, _mm256_set1_epi32(INT32_MAX), nan)};
  }
}

#endif

// The bits of a mask, or of its complement, for the lanes from element i on, a multiple of 8.
FETTLE_FN uint32_t partBits(const uint8_t* mask, int64_t inverted, int64_t i) {
  constexpr uint32_t all = (1u << Keys::lanes) - 1u;
  if (mask == nullptr) return all;
  uint32_t bits = mask[i / 8];
  if (Keys::lanes == 16) bits |= uint32_t(mask[i / 8 + 1]) << 8;
  return inverted != 0 ? ~bits & all : bits;
}

// Runs Body<dtype, kind>::range for the format of array 0 and the kind of integer 0.
template <template <int64_t, int64_t> class Body, int64_t kind>
FETTLE_FN void rangeByFormat(const fettle_call& call, int64_t first, int64_t last) {
  if (call.dtype[0] == FETTLE_F32) {
    Body<FETTLE_F32, kind>::range(call, first, last);
  } else if (call.dtype[0] == FETTLE_BF16) {
    Body<FETTLE_BF16, kind>::range(call, first, last);
  } else {
    Body<FETTLE_F16, kind>::range(call, first, last);
  }
}

template <template <int64_t, int64_t> class Body>
FETTLE_FN void rangeByKey(const fettle_call& call, int64_t first, int64_t last) {
  if (call.integer[0] == magnitudeKey) {
    rangeByFormat<Body, magnitudeKey>(call, first, last);
  } else {
    rangeByFormat<Body, signedKey>(call, first, last);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
