// Transcendental functions of our own: polynomials over correctly rounded operations, so that every backend
// gives the same bits. The Java twin is org.fettle.Transcendental.
//
//   function      domain               largest error seen     used for
//   expOf         double, all          1.0 ulp                schedules, non-integer powers
//   logOf         double, > 0          1.0 ulp                schedules, random scaling
//   powerOf       double, base > 0     |y ln b| * 2e-16       schedules
//   expNegative   float, <= 0          1.1 ulp                sigmoid
//   arctangent    float, all           1.8 ulp                Weight Compander
//   logarithm     float, all           0.8 ulp                log-StableMax
//   powerBelowOne float, >= 0          5 ulp                  AdaHessian
//
// tests/ measures these errors against a reference of higher precision.
#pragma once

#include <string.h>

#include "core/numeric.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN double fma(double a, double b, double c) { return ::fma(a, b, c); }

FETTLE_FN int64_t longBits(double x) {
  int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

FETTLE_FN double fromLongBits(int64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// ln(2) in two pieces: the first has trailing zeros, so that a small integer times it is exact.
constexpr double ln2High = 0x1.62e42fee00000p-1;
constexpr double ln2Low = 0x1.a39ef35793c76p-33;

// e^x. Overflow gives infinity; below -708 (near the subnormals) the result is 0.
FETTLE_FN double expOf(double x) {
  if (x != x) return x;
  if (x > 709.0) return x * 1e308;
  if (x < -708.0) return 0.0;
  // Adding and taking off 1.5 * 2^52 rounds to an integer.
  const double shift = 6755399441055744.0;
  const double k = (x * 0x1.71547652b82fep0 + shift) - shift;
  double r = fma(-k, ln2High, x);
  r = fma(-k, ln2Low, r);
  // Taylor's series to degree 13 on |r| <= ln(2) / 2.
  double sum = 1.0 / 6227020800.0;
  sum = fma(sum, r, 1.0 / 479001600.0);
  sum = fma(sum, r, 1.0 / 39916800.0);
  sum = fma(sum, r, 1.0 / 3628800.0);
  sum = fma(sum, r, 1.0 / 362880.0);
  sum = fma(sum, r, 1.0 / 40320.0);
  sum = fma(sum, r, 1.0 / 5040.0);
  sum = fma(sum, r, 1.0 / 720.0);
  sum = fma(sum, r, 1.0 / 120.0);
  sum = fma(sum, r, 1.0 / 24.0);
  sum = fma(sum, r, 1.0 / 6.0);
  sum = fma(sum, r, 0.5);
  sum = fma(sum, r, 1.0);
  sum = fma(sum, r, 1.0);
  return sum * fromLongBits((int64_t(k) + 1023) << 52);
}

// ln(x) for a normal x > 0; NaN for a negative one, -infinity for 0.
FETTLE_FN double logOf(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -double(INFINITY) : double(NAN);
  int64_t bits = longBits(x);
  if (bits >= int64_t(0x7FF0000000000000)) return x;
  int64_t exponent = (bits >> 52) - 1023;
  double m = fromLongBits((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent += 1;
  }
  // ln(m) = 2 atanh(s), |s| < 0.172.
  const double s = (m - 1.0) / (m + 1.0);
  const double q = s * s;
  double sum = 1.0 / 23.0;
  sum = fma(sum, q, 1.0 / 21.0);
  sum = fma(sum, q, 1.0 / 19.0);
  sum = fma(sum, q, 1.0 / 17.0);
  sum = fma(sum, q, 1.0 / 15.0);
  sum = fma(sum, q, 1.0 / 13.0);
  sum = fma(sum, q, 1.0 / 11.0);
  sum = fma(sum, q, 1.0 / 9.0);
  sum = fma(sum, q, 1.0 / 7.0);
  sum = fma(sum, q, 1.0 / 5.0);
  sum = fma(sum, q, 1.0 / 3.0);
  const double tail = sum * q * s;
  const double k = double(exponent);
  // The large parts last, so that their rounding is the only one that counts.
  return fma(k, ln2High, fma(2.0, s, fma(2.0, tail, k * ln2Low)));
}

// base^exponent for base > 0; 0^exponent is 0 for a positive exponent.
FETTLE_FN double powerOf(double base, double exponent) {
  if (base == 0.0) return exponent > 0.0 ? 0.0 : 1.0;
  return expOf(exponent * logOf(base));
}

// e^x for x <= 0, per element. Below -87 it stays at e^-87, which every user adds to 1.
template <class F>
FETTLE_FN F expNegative(F x) {
  x = select(x < F(-87.0f), F(-87.0f), x);
  const F shift = F(12582912.0f);
  const F k = (x * F(1.442695f) + shift) - shift;
  F r = fma(-k, F(355.0f / 512.0f), x);
  r = fma(-k, F(-2.1219444e-4f), r);
  F sum = F(1.0f / 5040.0f);
  sum = fma(sum, r, F(1.0f / 720.0f));
  sum = fma(sum, r, F(1.0f / 120.0f));
  sum = fma(sum, r, F(1.0f / 24.0f));
  sum = fma(sum, r, F(1.0f / 6.0f));
  sum = fma(sum, r, F(0.5f));
  sum = fma(sum, r, F(1.0f));
  sum = fma(sum, r, F(1.0f));
  return sum * powerOfTwo(k);
}

// The arctangent, per element; the sign of a zero and NaN are kept.
template <class F>
FETTLE_FN F arctangent(F x) {
  const F t = absolute(x);
  // atan(t) = base + atan(r): above tan(3 pi / 8) r = -1 / t, above tan(pi / 8) r = (t - 1) / (t + 1); |r| < 0.4143.
  const auto high = t > F(2.4142137f);
  const auto middle = t > F(0.41421357f);
  const F above = select(high, F(-1.0f), select(middle, t - F(1.0f), t));
  const F below = select(high, t, select(middle, t + F(1.0f), F(1.0f)));
  const F base = select(high, F(1.5707964f), select(middle, F(0.7853982f), F(0.0f)));
  const F baseLow = select(high, F(-4.371139e-8f), select(middle, F(-2.1855694e-8f), F(0.0f)));
  const F r = above / below;
  const F z = r * r;
  F sum = F(1.0f / 17.0f);
  sum = fma(sum, z, F(-1.0f / 15.0f));
  sum = fma(sum, z, F(1.0f / 13.0f));
  sum = fma(sum, z, F(-1.0f / 11.0f));
  sum = fma(sum, z, F(1.0f / 9.0f));
  sum = fma(sum, z, F(-1.0f / 7.0f));
  sum = fma(sum, z, F(1.0f / 5.0f));
  sum = fma(sum, z, F(-1.0f / 3.0f));
  const F y = base + (r + fma(r * z, sum, baseLow));
  return select(x < F(0.0f), -y, select(x > F(0.0f), y, x));
}

// The natural logarithm, per element, denormals included; -infinity for 0, NaN below.
template <class F>
FETTLE_FN F logarithm(F x) {
  const auto denormal = x < F(1.17549435e-38f);
  F k;
  const F m = splitExponent(select(denormal, x * F(16777216.0f), x), k);
  k = select(denormal, k - F(24.0f), k);
  // ln(1 + f) = 2 atanh(s) with s = f / (2 + f), |s| < 0.172; the large part, f, is added last.
  const F f = m - F(1.0f);
  const F s = f / (f + F(2.0f));
  const F q = s * s;
  F sum = F(2.0f / 11.0f);
  sum = fma(sum, q, F(2.0f / 9.0f));
  sum = fma(sum, q, F(2.0f / 7.0f));
  sum = fma(sum, q, F(2.0f / 5.0f));
  sum = fma(sum, q, F(2.0f / 3.0f));
  const F half = F(0.5f) * f * f;
  const F correction = fma(s, fma(sum, q, half), k * F(-2.1219444e-4f));
  const F y = fma(k, F(355.0f / 512.0f), f - (half - correction));
  const F infinity = F(__builtin_inff());
  return select(x > F(0.0f), select(x == infinity, x, y), select(x == F(0.0f), -infinity, F(__builtin_nanf(""))));
}

// x^k per element for k in [0, 1] and x = 0 or a square root (2^-75 and above); 0^0 is 1; infinity and NaN stay (k = 0: 1).
template <class F>
FETTLE_FN F powerBelowOne(F x, F k) {
  F e;
  const F m = splitExponent(x, e);
  // k * e = n + f exactly but for `low`; what is left, (f + low) ln 2 + k ln m, is below 0.7 in magnitude.
  const F shift = F(12582912.0f);
  const F product = k * e;
  const F low = fma(k, e, -product);
  const F n = (product + shift) - shift;
  const F r = fma((product - n) + low, F(0.6931472f), k * logarithm(m));
  F sum = F(1.0f / 40320.0f);
  sum = fma(sum, r, F(1.0f / 5040.0f));
  sum = fma(sum, r, F(1.0f / 720.0f));
  sum = fma(sum, r, F(1.0f / 120.0f));
  sum = fma(sum, r, F(1.0f / 24.0f));
  sum = fma(sum, r, F(1.0f / 6.0f));
  sum = fma(sum, r, F(0.5f));
  sum = fma(sum, r, F(1.0f));
  sum = fma(sum, r, F(1.0f));
  const F y = sum * powerOfTwo(n);
  const F infinity = F(__builtin_inff());
  const F ordinary = select(x > F(0.0f), select(x == infinity, x, y), x);
  return select(k == F(0.0f), F(1.0f), ordinary);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
