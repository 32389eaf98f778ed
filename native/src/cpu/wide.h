// A vector's lanes in double precision: two registers of doubles, as one number.
#pragma once

#include "core/doubles.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

struct Wide {
  Doubles low, high;
  FETTLE_INLINE Wide() {}
  FETTLE_INLINE Wide(Doubles lowHalf, Doubles highHalf) : low(lowHalf), high(highHalf) {}
  FETTLE_INLINE explicit Wide(double x) : low(x), high(x) {}

#if defined(__AVX512F__)
  FETTLE_INLINE explicit Wide(Vector x)
      : low(_mm512_cvtps_pd(_mm512_castps512_ps256(x.v))), high(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1))) {}
  FETTLE_INLINE Vector narrow() const {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low.v)), _mm512_cvtpd_ps(high.v), 1);
  }
#else
  FETTLE_INLINE explicit Wide(Vector x)
      : low(_mm256_cvtps_pd(_mm256_castps256_ps128(x.v))), high(_mm256_cvtps_pd(_mm256_extractf128_ps(x.v, 1))) {}
  FETTLE_INLINE Vector narrow() const {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low.v)), _mm256_cvtpd_ps(high.v), 1);
  }
#endif

  FETTLE_FN Wide load(const double* from) { return {Doubles::load(from), Doubles::load(from + Doubles::lanes)}; }
  FETTLE_INLINE void store(double* to) const {
    low.store(to);
    high.store(to + Doubles::lanes);
  }
};

FETTLE_FN Wide operator+(Wide a, Wide b) { return {a.low + b.low, a.high + b.high}; }
FETTLE_FN Wide operator-(Wide a, Wide b) { return {a.low - b.low, a.high - b.high}; }
FETTLE_FN Wide operator*(Wide a, Wide b) { return {a.low * b.low, a.high * b.high}; }
FETTLE_FN Wide operator/(Wide a, Wide b) { return {a.low / b.low, a.high / b.high}; }

#if defined(__AVX512F__)

// Whether a normal number of a lane lies within 8 units in its last place of the middle between two floats.
FETTLE_FN bool nearMiddle(Wide x) {
  const auto test = [](Doubles half) {
    const __m512i fromMiddle = _mm512_add_epi64(_mm512_castpd_si512(half.v), _mm512_set1_epi64(8 - (int64_t(1) << 28)));
    return _mm512_testn_epi64_mask(fromMiddle, _mm512_set1_epi64(0x1FFFFFF0));
  };
  return _kortestz_mask8_u8(test(x.low), test(x.high)) == 0;
}

// The largest magnitude; a NaN comes out. Magnitudes as integers are ordered as the numbers are, NaN above all.
class LargestWide {
 public:
  FETTLE_INLINE LargestWide() : low_(_mm512_setzero_si512()), high_(_mm512_setzero_si512()) {}
  FETTLE_INLINE void take(Wide x) {
    low_ = _mm512_max_epu64(low_, magnitude(x.low));
    high_ = _mm512_max_epu64(high_, magnitude(x.high));
  }
  FETTLE_INLINE double value() const {
    const uint64_t bits = _mm512_reduce_max_epu64(_mm512_max_epu64(low_, high_));
    double result;
    memcpy(&result, &bits, sizeof result);
    return result;
  }

 private:
  FETTLE_FN __m512i magnitude(Doubles x) {
    return _mm512_and_si512(_mm512_castpd_si512(x.v), _mm512_set1_epi64(INT64_MAX));
  }
  __m512i low_, high_;
};

#else

FETTLE_FN bool nearMiddle(Wide x) {
  const auto test = [](Doubles half) {
    const __m256i fromMiddle = _mm256_add_epi64(_mm256_castpd_si256(half.v), _mm256_set1_epi64x(8 - (int64_t(1) << 28)));
    return _mm256_cmpeq_epi64(_mm256_and_si256(fromMiddle, _mm256_set1_epi64x(0x1FFFFFF0)), _mm256_setzero_si256());
  };
  const __m256i either = _mm256_or_si256(test(x.low), test(x.high));
  return _mm256_testz_si256(either, either) == 0;
}

class LargestWide {
 public:
  FETTLE_INLINE LargestWide() : low_(_mm256_setzero_pd()), high_(_mm256_setzero_pd()), strange_(_mm256_setzero_pd()) {}
  FETTLE_INLINE void take(Wide x) {
    low_ = _mm256_max_pd(magnitude(x.low), low_);
    high_ = _mm256_max_pd(magnitude(x.high), high_);
    strange_ = _mm256_or_pd(strange_, _mm256_cmp_pd(x.low.v, x.high.v, _CMP_UNORD_Q));
  }
  FETTLE_INLINE double value() const {
    if (_mm256_movemask_pd(strange_) != 0) return __builtin_nan("");
    double lane[4];
    _mm256_storeu_pd(lane, _mm256_max_pd(low_, high_));
    double result = lane[0];
    for (int k = 1; k < 4; k++) result = lane[k] > result ? lane[k] : result;
    return result;
  }

 private:
  FETTLE_FN __m256d magnitude(Doubles x) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), x.v); }
  __m256d low_, high_, strange_;
};

#endif

}  // namespace FETTLE_TIER
}  // namespace fettle
