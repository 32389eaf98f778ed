// Vectors of doubles for the CPU tiers, with the operations of a double under the same names.
#pragma once

#include <immintrin.h>

#include "core/math.h"

namespace fettle {
namespace FETTLE_TIER {

#if defined(__AVX512F__)

struct DoubleMask {
  __mmask8 bits;
};

struct Doubles {
  static constexpr int lanes = 8;
  __m512d v;
  FETTLE_INLINE Doubles() : v(_mm512_undefined_pd()) {}
  FETTLE_INLINE Doubles(__m512d value) : v(value) {}
  FETTLE_INLINE Doubles(double value) : v(_mm512_set1_pd(value)) {}
  FETTLE_FN Doubles load(const double* from) { return Doubles(_mm512_loadu_pd(from)); }
  FETTLE_FN Doubles widen(const float* from) { return Doubles(_mm512_cvtps_pd(_mm256_loadu_ps(from))); }
  FETTLE_INLINE void store(double* to) const { _mm512_storeu_pd(to, v); }
  FETTLE_INLINE void narrow(float* to) const { _mm256_storeu_ps(to, _mm512_cvtpd_ps(v)); }
};

FETTLE_FN Doubles operator+(Doubles a, Doubles b) { return _mm512_add_pd(a.v, b.v); }
FETTLE_FN Doubles operator-(Doubles a, Doubles b) { return _mm512_sub_pd(a.v, b.v); }
FETTLE_FN Doubles operator*(Doubles a, Doubles b) { return _mm512_mul_pd(a.v, b.v); }
FETTLE_FN Doubles operator/(Doubles a, Doubles b) { return _mm512_div_pd(a.v, b.v); }
FETTLE_FN DoubleMask operator<(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
FETTLE_FN DoubleMask operator==(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)}; }
FETTLE_FN int countOf(DoubleMask mask) { return __builtin_popcount(mask.bits); }
FETTLE_FN Doubles fma(Doubles a, Doubles b, Doubles c) { return _mm512_fmadd_pd(a.v, b.v, c.v); }
FETTLE_FN Doubles choose(DoubleMask condition, Doubles yes, Doubles no) {
  return _mm512_mask_blend_pd(condition.bits, no.v, yes.v);
}

#else

struct DoubleMask {
  __m256d bits;
};

struct Doubles {
  static constexpr int lanes = 4;
  __m256d v;
  FETTLE_INLINE Doubles() : v(_mm256_undefined_pd()) {}
  FETTLE_INLINE Doubles(__m256d value) : v(value) {}
  FETTLE_INLINE Doubles(double value) : v(_mm256_set1_pd(value)) {}
  FETTLE_FN Doubles load(const double* from) { return Doubles(_mm256_loadu_pd(from)); }
  FETTLE_FN Doubles widen(const float* from) { return Doubles(_mm256_cvtps_pd(_mm_loadu_ps(from))); }
  FETTLE_INLINE void store(double* to) const { _mm256_storeu_pd(to, v); }
  FETTLE_INLINE void narrow(float* to) const { _mm_storeu_ps(to, _mm256_cvtpd_ps(v)); }
};

FETTLE_FN Doubles operator+(Doubles a, Doubles b) { return _mm256_add_pd(a.v, b.v); }
FETTLE_FN Doubles operator-(Doubles a, Doubles b) { return _mm256_sub_pd(a.v, b.v); }
FETTLE_FN Doubles operator*(Doubles a, Doubles b) { return _mm256_mul_pd(a.v, b.v); }
FETTLE_FN Doubles operator/(Doubles a, Doubles b) { return _mm256_div_pd(a.v, b.v); }
FETTLE_FN DoubleMask operator<(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)}; }
FETTLE_FN DoubleMask operator==(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ)}; }
FETTLE_FN int countOf(DoubleMask mask) { return __builtin_popcount(unsigned(_mm256_movemask_pd(mask.bits))); }
FETTLE_FN Doubles fma(Doubles a, Doubles b, Doubles c) { return _mm256_fmadd_pd(a.v, b.v, c.v); }
FETTLE_FN Doubles choose(DoubleMask condition, Doubles yes, Doubles no) {
  return _mm256_blendv_pd(no.v, yes.v, condition.bits);
}

#endif

}  // namespace FETTLE_TIER
}  // namespace fettle
