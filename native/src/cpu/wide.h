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
};

FETTLE_FN Wide operator*(Wide a, Wide b) { return {a.low * b.low, a.high * b.high}; }

}  // namespace FETTLE_TIER
}  // namespace fettle
