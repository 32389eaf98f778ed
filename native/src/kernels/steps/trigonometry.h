// Sine, cosine and hyperbolic tangent in double, of the same operations as the rest of core/math.h; within 4 ulp for |x| below
// 1e5. Twin of org.fettle.internal.kernels.Trigonometry.
#pragma once

#include "core/math.h"

namespace fettle {
namespace FETTLE_TIER {

// sin(r) and cos(r) for |r| <= pi / 4, by Taylor's series.
FETTLE_FN double sineNear(double r) {
  const double q = r * r;
  double sum = -1.0 / 1307674368000.0;
  sum = fma(sum, q, 1.0 / 6227020800.0);
  sum = fma(sum, q, -1.0 / 39916800.0);
  sum = fma(sum, q, 1.0 / 362880.0);
  sum = fma(sum, q, -1.0 / 5040.0);
  sum = fma(sum, q, 1.0 / 120.0);
  sum = fma(sum, q, -1.0 / 6.0);
  return fma(sum * q, r, r);
}

FETTLE_FN double cosineNear(double r) {
  const double q = r * r;
  double sum = 1.0 / 20922789888000.0;
  sum = fma(sum, q, -1.0 / 87178291200.0);
  sum = fma(sum, q, 1.0 / 479001600.0);
  sum = fma(sum, q, -1.0 / 3628800.0);
  sum = fma(sum, q, 1.0 / 40320.0);
  sum = fma(sum, q, -1.0 / 720.0);
  sum = fma(sum, q, 1.0 / 24.0);
  sum = fma(sum, q, -0.5);
  return fma(sum, q, 1.0);
}

// sin(x + turns * pi / 2)
FETTLE_FN double turnedSine(double x, int64_t turns) {
  if (!(x < 1e9 && x > -1e9)) return x * 0.0;  // NaN and infinity: NaN; what is larger has no digits left: 0
  const double shift = 6755399441055744.0;
  const double k = (x * 0.6366197723675814 + shift) - shift;
  double r = fma(-k, 0x1.921fb54400000p+0, x);
  r = fma(-k, 0x1.0b4611a600000p-34, r);
  r = fma(-k, 0x1.3198a2e037073p-69, r);
  const int64_t quarter = (int64_t(k) + turns) & 3;
  const double value = (quarter & 1) != 0 ? cosineNear(r) : sineNear(r);
  return (quarter & 2) != 0 ? -value : value;
}

FETTLE_FN double sine(double x) { return turnedSine(x, 0); }

FETTLE_FN double cosine(double x) { return turnedSine(x, 1); }

// tanh(x) for x >= 0
FETTLE_FN double hyperbolicTangent(double x) {
  if (x < 0.01) {
    const double q = x * x;
    double sum = -17.0 / 315.0;
    sum = fma(sum, q, 2.0 / 15.0);
    sum = fma(sum, q, -1.0 / 3.0);
    return fma(sum * q, x, x);
  }
  const double e = expOf(-2.0 * x);
  return (1.0 - e) / (1.0 + e);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
