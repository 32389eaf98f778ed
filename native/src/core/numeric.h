// The arithmetic that every backend does with the same bits: correctly rounded operations on float.
//
// A rule is written once over a number type F: float (CUDA, scalar tails) or a vector of floats (CPU
// tiers, vector.h). Both offer + - * /, comparisons, and the functions below under the same names.
// Minimum and maximum are written as selections that keep a NaN of the first operand; the hardware's and
// libm's forms disagree about NaN and signed zero.
#pragma once

#include <math.h>
#include <string.h>

#include "core/portable.h"

namespace fettle {
namespace FETTLE_TIER {

// a * b + c with one rounding.
FETTLE_FN float fma(float a, float b, float c) { return ::fmaf(a, b, c); }

// The square root, correctly rounded.
FETTLE_FN float root(float x) { return ::sqrtf(x); }

FETTLE_FN float absolute(float x) { return ::fabsf(x); }

// 2^k for an integral k in [-126, 127]; anything for a NaN, which its user multiplies by another NaN.
FETTLE_FN float powerOfTwo(float k) {
  const uint32_t bits = uint32_t(int32_t(k == k ? k : 0.0f) + 127) << 23;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

// x > 0, normal, as mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)); anything for any other x.
FETTLE_FN float splitExponent(float x, float& exponent) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int32_t k = (bits - 0x3F3504F3) >> 23;
  bits = int32_t(uint32_t(bits) - (uint32_t(k) << 23));
  exponent = float(k);
  float mantissa;
  memcpy(&mantissa, &bits, sizeof mantissa);
  return mantissa;
}

// The nearest integer below, above, and nearest of all with ties to even.
FETTLE_FN float floorOf(float x) { return ::floorf(x); }
FETTLE_FN float ceilingOf(float x) { return ::ceilf(x); }
FETTLE_FN float nearestOf(float x) { return ::rintf(x); }

// The exponent e of a positive normal x in [2^e, 2^(e+1)); -127 for what is smaller.
FETTLE_FN float exponentOf(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return float(int32_t(bits >> 23) - 127);
}

// Whether the sign bit is set.
FETTLE_FN bool isNegative(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits >> 31) != 0;
}

// One of eight numbers; index is integral, 0 to 7.
FETTLE_FN float lookUp(const float* table, float index) { return table[int32_t(index)]; }

FETTLE_FN float select(bool condition, float yes, float no) { return condition ? yes : no; }

// The larger of the two; a NaN in x or y comes out.
template <class F>
FETTLE_FN F larger(F x, F y) {
  return select(x > y, x, select(y != y, y, select(x != x, x, y)));
}

// x limited to [-limit, limit]; NaN stays NaN.
template <class F>
FETTLE_FN F clamp(F x, F limit) {
  return select(x > limit, limit, select(x < -limit, -limit, x));
}

// -1, 0 or 1; sign(0) is 0 whatever its sign, and NaN stays NaN.
template <class F>
FETTLE_FN F sign(F x) {
  return select(x > F(0.0f), F(1.0f), select(x < F(0.0f), F(-1.0f), select(x == x, F(0.0f), x)));
}

// keep * average + take * x, the moving average that nearly every rule is built of.
template <class F>
FETTLE_FN F movingAverage(F average, F x, F keep, F take) {
  return fma(keep, average, take * x);
}

// g + weightDecay * p, and g itself where there is no decay (0 * infinity must not make a NaN).
template <class F>
FETTLE_FN F withCoupledDecay(F g, F p, F weightDecay) {
  return select(weightDecay == F(0.0f), g, fma(weightDecay, p, g));
}

// The power of two that a vector of that norm is multiplied by before it is divided by the norm: of a norm this small, 1 / norm is no float.
// 1 for every other norm, and for a NaN.
FETTLE_FN double liftOf(double norm) { return norm < 0x1p-90 ? 0x1p90 : 1.0; }

// base to an integer power, by squaring: the same few products in Java, C++ and CUDA.
FETTLE_FN double power(double base, int64_t exponent) {
  double result = 1.0;
  for (int64_t rest = exponent; rest > 0; rest >>= 1) {
    // Not a branch: the bits of a step counter cannot be foreseen.
    const double factor[2] = {1.0, base};
    result *= factor[rest & 1];
    base *= base;
  }
  return result;
}

FETTLE_FN double rootOf(double x) { return ::sqrt(x); }

}  // namespace FETTLE_TIER
}  // namespace fettle
