// Vectors of floats for the CPU tiers, with the operations of numeric.h under the same names.
//
// Explicit vectors, not the optimizer's mercy: a rule then loads everything before its first store (arrays
// at the same page offset stall otherwise) and vectorises whatever it contains.
#pragma once

#include <immintrin.h>
#include <string.h>

#include "core/numeric.h"

namespace fettle {
namespace FETTLE_TIER {

#if defined(__AVX512F__)

struct Mask {
  __mmask16 bits;
};

struct Vector {
  static constexpr int lanes = 16;
  __m512 v;
  FETTLE_INLINE Vector() : v(_mm512_undefined_ps()) {}
  FETTLE_INLINE Vector(__m512 value) : v(value) {}
  FETTLE_INLINE Vector(float value) : v(_mm512_set1_ps(value)) {}
  FETTLE_FN Vector load(const float* from) { return Vector(_mm512_loadu_ps(from)); }
  FETTLE_INLINE void store(float* to) const { _mm512_storeu_ps(to, v); }
  // The first `count` lanes only; the others are 0.
  FETTLE_FN Vector loadPart(const float* from, int count) { return _mm512_maskz_loadu_ps(firstLanes(count), from); }
  FETTLE_INLINE void storePart(float* to, int count) const { _mm512_mask_storeu_ps(to, firstLanes(count), v); }
  FETTLE_FN __mmask16 firstLanes(int count) { return __mmask16((1u << count) - 1u); }
};

FETTLE_FN Vector operator+(Vector a, Vector b) { return _mm512_add_ps(a.v, b.v); }
FETTLE_FN Vector operator-(Vector a, Vector b) { return _mm512_sub_ps(a.v, b.v); }
FETTLE_FN Vector operator*(Vector a, Vector b) { return _mm512_mul_ps(a.v, b.v); }
FETTLE_FN Vector operator/(Vector a, Vector b) { return _mm512_div_ps(a.v, b.v); }
FETTLE_FN Vector operator-(Vector a) {
  return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(INT32_MIN)));
}
FETTLE_FN Mask operator>(Vector a, Vector b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
FETTLE_FN Mask operator<(Vector a, Vector b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
FETTLE_FN Mask operator>=(Vector a, Vector b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
FETTLE_FN Mask operator<=(Vector a, Vector b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
FETTLE_FN Mask operator==(Vector a, Vector b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
FETTLE_FN Mask operator!=(Vector a, Vector b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
FETTLE_FN Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
FETTLE_FN Vector root(Vector x) { return _mm512_sqrt_ps(x.v); }
FETTLE_FN Vector absolute(Vector x) { return _mm512_abs_ps(x.v); }
FETTLE_FN Vector powerOfTwo(Vector k) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(k.v), _mm512_set1_epi32(127)), 23));
}
FETTLE_FN Vector splitExponent(Vector x, Vector& exponent) {
  const __m512i bits = _mm512_castps_si512(x.v);
  const __m512i k = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(0x3F3504F3)), 23);
  exponent = _mm512_cvtepi32_ps(k);
  return _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(k, 23)));
}
FETTLE_FN Vector select(Mask condition, Vector yes, Vector no) {
  return _mm512_mask_blend_ps(condition.bits, no.v, yes.v);
}
FETTLE_FN Vector floorOf(Vector x) { return _mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
FETTLE_FN Vector ceilingOf(Vector x) { return _mm512_roundscale_ps(x.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
FETTLE_FN Vector nearestOf(Vector x) { return _mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FETTLE_FN Vector exponentOf(Vector x) {
  return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_srli_epi32(_mm512_castps_si512(x.v), 23), _mm512_set1_epi32(127)));
}
FETTLE_FN Mask isNegative(Vector x) { return {_mm512_movepi32_mask(_mm512_castps_si512(x.v))}; }
FETTLE_FN Vector lookUp(const float* table, Vector index) {
  return _mm512_permutexvar_ps(_mm512_cvtps_epi32(index.v), _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
}

#elif defined(__AVX2__)

struct Mask {
  __m256 bits;
};

struct Vector {
  static constexpr int lanes = 8;
  __m256 v;
  FETTLE_INLINE Vector() : v(_mm256_undefined_ps()) {}
  FETTLE_INLINE Vector(__m256 value) : v(value) {}
  FETTLE_INLINE Vector(float value) : v(_mm256_set1_ps(value)) {}
  FETTLE_FN Vector load(const float* from) { return Vector(_mm256_loadu_ps(from)); }
  FETTLE_INLINE void store(float* to) const { _mm256_storeu_ps(to, v); }
  // The first `count` lanes only; the others are 0.
  FETTLE_FN Vector loadPart(const float* from, int count) { return _mm256_maskload_ps(from, firstLanes(count)); }
  FETTLE_INLINE void storePart(float* to, int count) const { _mm256_maskstore_ps(to, firstLanes(count), v); }
  FETTLE_FN __m256i firstLanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
};

FETTLE_FN Vector operator+(Vector a, Vector b) { return _mm256_add_ps(a.v, b.v); }
FETTLE_FN Vector operator-(Vector a, Vector b) { return _mm256_sub_ps(a.v, b.v); }
FETTLE_FN Vector operator*(Vector a, Vector b) { return _mm256_mul_ps(a.v, b.v); }
FETTLE_FN Vector operator/(Vector a, Vector b) { return _mm256_div_ps(a.v, b.v); }
FETTLE_FN Vector operator-(Vector a) { return _mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f)); }
FETTLE_FN Mask operator>(Vector a, Vector b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
FETTLE_FN Mask operator<(Vector a, Vector b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
FETTLE_FN Mask operator>=(Vector a, Vector b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
FETTLE_FN Mask operator<=(Vector a, Vector b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
FETTLE_FN Mask operator==(Vector a, Vector b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
FETTLE_FN Mask operator!=(Vector a, Vector b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
FETTLE_FN Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
FETTLE_FN Vector root(Vector x) { return _mm256_sqrt_ps(x.v); }
FETTLE_FN Vector absolute(Vector x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x.v); }
FETTLE_FN Vector powerOfTwo(Vector k) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(k.v), _mm256_set1_epi32(127)), 23));
}
FETTLE_FN Vector splitExponent(Vector x, Vector& exponent) {
  const __m256i bits = _mm256_castps_si256(x.v);
  const __m256i k = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3F3504F3)), 23);
  exponent = _mm256_cvtepi32_ps(k);
  return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(k, 23)));
}
FETTLE_FN Vector select(Mask condition, Vector yes, Vector no) {
  return _mm256_blendv_ps(no.v, yes.v, condition.bits);
}
FETTLE_FN Vector floorOf(Vector x) { return _mm256_floor_ps(x.v); }
FETTLE_FN Vector ceilingOf(Vector x) { return _mm256_ceil_ps(x.v); }
FETTLE_FN Vector nearestOf(Vector x) { return _mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FETTLE_FN Vector exponentOf(Vector x) {
  return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(x.v), 23), _mm256_set1_epi32(127)));
}
FETTLE_FN Mask isNegative(Vector x) { return {x.v}; }
FETTLE_FN Vector lookUp(const float* table, Vector index) {
  return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), _mm256_cvtps_epi32(index.v));
}

#else
#error "the CPU tiers need AVX2 at least"
#endif

}  // namespace FETTLE_TIER
}  // namespace fettle
