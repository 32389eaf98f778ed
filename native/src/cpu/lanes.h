// Integers in the lanes of a vector, and their bytes.
#pragma once

#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

#if defined(__AVX512F__)

using Lanes32 = __m512i;

FETTLE_FN Lanes32 lanesOf(uint32_t x) { return _mm512_set1_epi32(int32_t(x)); }
FETTLE_FN Lanes32 bitsOf(Vector x) { return _mm512_castps_si512(x.v); }
FETTLE_FN Vector floatsOfBits(Lanes32 x) { return _mm512_castsi512_ps(x); }
FETTLE_FN Lanes32 roundedTo32(Vector x) { return _mm512_cvtps_epi32(x.v); }
FETTLE_FN Lanes32 ceilingTo32(Vector x) {
  return _mm512_cvt_roundps_epi32(x.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
FETTLE_FN Lanes32 both(Lanes32 a, Lanes32 b) { return _mm512_and_si512(a, b); }
FETTLE_FN Lanes32 either(Lanes32 a, Lanes32 b) { return _mm512_or_si512(a, b); }
FETTLE_FN Lanes32 plus(Lanes32 a, Lanes32 b) { return _mm512_add_epi32(a, b); }
FETTLE_FN Lanes32 minus(Lanes32 a, Lanes32 b) { return _mm512_sub_epi32(a, b); }
FETTLE_FN Lanes32 largerOf(Lanes32 a, Lanes32 b) { return _mm512_max_epi32(a, b); }
FETTLE_FN Lanes32 smallerOf(Lanes32 a, Lanes32 b) { return _mm512_min_epi32(a, b); }
FETTLE_FN Lanes32 shiftedRight(Lanes32 x, Lanes32 by) { return _mm512_srlv_epi32(x, by); }
FETTLE_FN Lanes32 shiftedLeft(Lanes32 x, Lanes32 by) { return _mm512_sllv_epi32(x, by); }
// Integers in the order of floats: kernels/formats/grid.h's keys.
FETTLE_FN Lanes32 keysOf(Vector x) {
  const __m512i bits = _mm512_castps_si512(x.v);
  return _mm512_xor_si512(bits, _mm512_srli_epi32(_mm512_srai_epi32(bits, 31), 1));
}
// x, and `other` where a NaN is in y.
FETTLE_FN Lanes32 unlessNan(Vector y, Lanes32 x, Lanes32 other) {
  return _mm512_mask_mov_epi32(x, _mm512_cmp_ps_mask(y.v, y.v, _CMP_UNORD_Q), other);
}
// x, and `other` where y has a minus.
FETTLE_FN Lanes32 unlessNegative(Vector y, Lanes32 x, Lanes32 other) {
  return _mm512_mask_mov_epi32(x, _mm512_movepi32_mask(bitsOf(y)), other);
}
FETTLE_FN Vector zeroForNan(Vector x) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, x.v, _CMP_ORD_Q), x.v); }
FETTLE_FN Lanes32 equalTo(Lanes32 x, Lanes32 y, Lanes32 yes, Lanes32 no) {
  return _mm512_mask_mov_epi32(no, _mm512_cmpeq_epi32_mask(x, y), yes);
}
FETTLE_FN Lanes32 above(Lanes32 x, Lanes32 y, Lanes32 yes, Lanes32 no) {
  return _mm512_mask_mov_epi32(no, _mm512_cmpgt_epi32_mask(x, y), yes);
}
FETTLE_FN int32_t largestLane(Lanes32 x) { return _mm512_reduce_max_epi32(x); }
FETTLE_FN int32_t smallestLane(Lanes32 x) { return _mm512_reduce_min_epi32(x); }

// An entry of eight, by the low bits of an index.
FETTLE_FN Vector lookUp8(const float* table, Lanes32 index) {
  return _mm512_permutexvar_ps(index, _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
}
FETTLE_FN Lanes32 lookUp8(const int32_t* table, Lanes32 index) {
  return _mm512_permutexvar_epi32(index, _mm512_broadcast_i32x8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table))));
}
// The second operand where the first is a NaN.
FETTLE_FN Vector lesser(Vector x, Vector y) { return _mm512_min_ps(x.v, y.v); }
FETTLE_FN Vector greater(Vector x, Vector y) { return _mm512_max_ps(x.v, y.v); }
// A magnitude with the sign of another number.
FETTLE_FN Vector signedAs(Vector magnitude, Vector x) {
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(magnitude.v), _mm512_castps_si512(x.v),
                                                       _mm512_set1_epi32(INT32_MIN), 0xF8));
}
// The high 24 bits of random words.
FETTLE_FN Vector highBits24(const uint32_t* words) {
  return _mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_loadu_si512(words), 8));
}

// Codes that fit a byte: of one vector, and of four side by side.
template <bool isSigned>
FETTLE_FN __m128i bytesOfLanes(Lanes32 x) {
  return _mm512_cvtepi32_epi8(x);
}
template <bool isSigned>
FETTLE_FN Lanes32 bytesOfLanes(Lanes32 a, Lanes32 b, Lanes32 c, Lanes32 d) {
  const __m512i ab = _mm512_packs_epi32(a, b), cd = _mm512_packs_epi32(c, d);
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(order, isSigned ? _mm512_packs_epi16(ab, cd) : _mm512_packus_epi16(ab, cd));
}
// Pairs of bytes below 16 to a byte each, the first in the high half: the first half of the result.
FETTLE_FN Lanes32 pairedNibbles(Lanes32 bytes) {
  const __m512i pairs = _mm512_maddubs_epi16(bytes, _mm512_set1_epi16(0x0110));
  return _mm512_castsi256_si512(_mm512_cvtepi16_epi8(pairs));
}
FETTLE_FN void storeBytes(uint8_t* to, Lanes32 bytes) { _mm512_storeu_si512(to, bytes); }
FETTLE_FN void streamBytes(uint8_t* to, Lanes32 bytes) { _mm512_stream_si512(reinterpret_cast<__m512i*>(to), bytes); }
FETTLE_FN Lanes32 unsignedLanes(__m128i bytes) { return _mm512_cvtepu8_epi32(bytes); }
FETTLE_FN Lanes32 signedLanes(__m128i bytes) { return _mm512_cvtepi8_epi32(bytes); }
FETTLE_FN Vector toFloats(Lanes32 x) { return _mm512_cvtepi32_ps(x); }

#else

using Lanes32 = __m256i;

FETTLE_FN Lanes32 lanesOf(uint32_t x) { return _mm256_set1_epi32(int32_t(x)); }
FETTLE_FN Lanes32 bitsOf(Vector x) { return _mm256_castps_si256(x.v); }
FETTLE_FN Vector floatsOfBits(Lanes32 x) { return _mm256_castsi256_ps(x); }
FETTLE_FN Lanes32 roundedTo32(Vector x) { return _mm256_cvtps_epi32(x.v); }
FETTLE_FN Lanes32 ceilingTo32(Vector x) { return _mm256_cvtps_epi32(_mm256_ceil_ps(x.v)); }
FETTLE_FN Lanes32 both(Lanes32 a, Lanes32 b) { return _mm256_and_si256(a, b); }
FETTLE_FN Lanes32 either(Lanes32 a, Lanes32 b) { return _mm256_or_si256(a, b); }
FETTLE_FN Lanes32 plus(Lanes32 a, Lanes32 b) { return _mm256_add_epi32(a, b); }
FETTLE_FN Lanes32 minus(Lanes32 a, Lanes32 b) { return _mm256_sub_epi32(a, b); }
FETTLE_FN Lanes32 largerOf(Lanes32 a, Lanes32 b) { return _mm256_max_epi32(a, b); }
FETTLE_FN Lanes32 smallerOf(Lanes32 a, Lanes32 b) { return _mm256_min_epi32(a, b); }
FETTLE_FN Lanes32 shiftedRight(Lanes32 x, Lanes32 by) { return _mm256_srlv_epi32(x, by); }
FETTLE_FN Lanes32 shiftedLeft(Lanes32 x, Lanes32 by) { return _mm256_sllv_epi32(x, by); }
FETTLE_FN Lanes32 keysOf(Vector x) {
  const __m256i bits = _mm256_castps_si256(x.v);
  return _mm256_xor_si256(bits, _mm256_srli_epi32(_mm256_srai_epi32(bits, 31), 1));
}
FETTLE_FN Lanes32 unlessNan(Vector y, Lanes32 x, Lanes32 other) {
  return _mm256_blendv_epi8(x, other, _mm256_castps_si256(_mm256_cmp_ps(y.v, y.v, _CMP_UNORD_Q)));
}
FETTLE_FN Lanes32 unlessNegative(Vector y, Lanes32 x, Lanes32 other) {
  return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(other), y.v));
}
FETTLE_FN Vector zeroForNan(Vector x) { return _mm256_and_ps(x.v, _mm256_cmp_ps(x.v, x.v, _CMP_ORD_Q)); }
FETTLE_FN Lanes32 equalTo(Lanes32 x, Lanes32 y, Lanes32 yes, Lanes32 no) {
  return _mm256_blendv_epi8(no, yes, _mm256_cmpeq_epi32(x, y));
}
FETTLE_FN Lanes32 above(Lanes32 x, Lanes32 y, Lanes32 yes, Lanes32 no) {
  return _mm256_blendv_epi8(no, yes, _mm256_cmpgt_epi32(x, y));
}
FETTLE_FN int32_t largestLane(Lanes32 x) {
  __m128i half = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  return _mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 0xB1)));
}
FETTLE_FN int32_t smallestLane(Lanes32 x) {
  __m128i half = _mm_min_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  half = _mm_min_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  return _mm_cvtsi128_si32(_mm_min_epi32(half, _mm_shuffle_epi32(half, 0xB1)));
}

FETTLE_FN Vector lookUp8(const float* table, Lanes32 index) {
  return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
}
FETTLE_FN Lanes32 lookUp8(const int32_t* table, Lanes32 index) {
  return _mm256_permutevar8x32_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(table)), index);
}
FETTLE_FN Vector lesser(Vector x, Vector y) { return _mm256_min_ps(x.v, y.v); }
FETTLE_FN Vector greater(Vector x, Vector y) { return _mm256_max_ps(x.v, y.v); }
FETTLE_FN Vector signedAs(Vector magnitude, Vector x) {
  return _mm256_or_ps(magnitude.v, _mm256_and_ps(x.v, _mm256_set1_ps(-0.0f)));
}
FETTLE_FN Vector highBits24(const uint32_t* words) {
  return _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)), 8));
}

template <bool isSigned>
FETTLE_FN __m128i bytesOfLanes(Lanes32 x) {
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  return isSigned ? _mm_packs_epi16(halves, halves) : _mm_packus_epi16(halves, halves);
}
template <bool isSigned>
FETTLE_FN Lanes32 bytesOfLanes(Lanes32 a, Lanes32 b, Lanes32 c, Lanes32 d) {
  const __m256i ab = _mm256_packs_epi32(a, b), cd = _mm256_packs_epi32(c, d);
  return _mm256_permutevar8x32_epi32(isSigned ? _mm256_packs_epi16(ab, cd) : _mm256_packus_epi16(ab, cd),
                                     _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
FETTLE_FN Lanes32 pairedNibbles(Lanes32 bytes) {
  const __m256i pairs = _mm256_maddubs_epi16(bytes, _mm256_set1_epi16(0x0110));
  return _mm256_permute4x64_epi64(_mm256_packus_epi16(pairs, pairs), 0x08);
}
FETTLE_FN void storeBytes(uint8_t* to, Lanes32 bytes) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes); }
FETTLE_FN void streamBytes(uint8_t* to, Lanes32 bytes) { _mm256_stream_si256(reinterpret_cast<__m256i*>(to), bytes); }
FETTLE_FN Lanes32 unsignedLanes(__m128i bytes) { return _mm256_cvtepu8_epi32(bytes); }
FETTLE_FN Lanes32 signedLanes(__m128i bytes) { return _mm256_cvtepi8_epi32(bytes); }
FETTLE_FN Vector toFloats(Lanes32 x) { return _mm256_cvtepi32_ps(x); }

#endif

// Whether a random word rounds a number of [0, 2^24) spacings up.
FETTLE_FN Mask roundsUp(Vector x, Vector whole, const uint32_t* words) {
  return (x - whole) * Vector(16777216.0f) >= Vector(16777216.0f) - highBits24(words);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
