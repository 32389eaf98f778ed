// The sine and cosine of a double with an exact reduction of its argument: the same bits everywhere. The Java twin is
// org.fettle.internal.Sine.
//
// Below 2^30 three pieces of pi/2 are subtracted with fma; above, up to 2^256, the argument's integer is multiplied by
// the bits of 2/pi that matter (Payne and Hanek). Largest error: 1e-15.
#pragma once

#include "core/math.h"

namespace fettle {
namespace FETTLE_TIER {

struct SineCosine {
  double sine;
  double cosine;
};

constexpr double sineFastLimit = 1073741824.0;

// Both of a reduced argument, |r| <= pi/4, plus quadrant * pi/2.
FETTLE_FN SineCosine sineOfReduced(double r, int64_t quadrant) {
  const double z = r * r;
  double s = 1.0 / 1307674368000.0;
  s = fma(s, -z, 1.0 / 6227020800.0);
  s = fma(s, -z, 1.0 / 39916800.0);
  s = fma(s, -z, 1.0 / 362880.0);
  s = fma(s, -z, 1.0 / 5040.0);
  s = fma(s, -z, 1.0 / 120.0);
  s = fma(s, -z, 1.0 / 6.0);
  s = fma(r * z, -s, r);
  double c = 1.0 / 20922789888000.0;
  c = fma(c, -z, 1.0 / 87178291200.0);
  c = fma(c, -z, 1.0 / 479001600.0);
  c = fma(c, -z, 1.0 / 3628800.0);
  c = fma(c, -z, 1.0 / 40320.0);
  c = fma(c, -z, 1.0 / 720.0);
  c = fma(c, -z, 1.0 / 24.0);
  c = fma(c, -z, 0.5);
  c = fma(c, -z, 1.0);
  const bool swapped = (quadrant & 1) != 0;
  const double sine = swapped ? c : s;
  const double cosine = swapped ? s : c;
  return {(quadrant & 2) != 0 ? -sine : sine, ((quadrant + 1) & 2) != 0 ? -cosine : cosine};
}

// |x| < 2^30.
FETTLE_FN SineCosine sineOfModerate(double x) {
  // Adding and taking off 1.5 * 2^52 rounds to an integer, whose last bits stand in the sum's.
  const double shift = 6755399441055744.0;
  const double sum = fma(x, 0x1.45f306dc9c883p-1, shift);
  const double k = sum - shift;
  double r = fma(-k, 0x1.921fb54442d18p0, x);
  r = fma(-k, 0x1.1a62633145c07p-54, r);
  r = fma(-k, -0x1.f1976b7ed8fbcp-110, r);
  return sineOfReduced(r, longBits(sum));
}

FETTLE_FN uint64_t highProduct(uint64_t a, uint64_t b) {
  const uint64_t a0 = a & 0xFFFFFFFFu, a1 = a >> 32, b0 = b & 0xFFFFFFFFu, b1 = b >> 32;
  const uint64_t middle = a1 * b0 + ((a0 * b0) >> 32);
  const uint64_t other = a0 * b1 + (middle & 0xFFFFFFFFu);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

// 64 bits of 2/pi from a bit on; the first 64 are zeros before the point.
FETTLE_FN uint64_t twoOverPi(int64_t bit) {
  const uint64_t words[9] = {0,
                             0xA2F9836E4E441529u,
                             0xFC2757D1F534DDC0u,
                             0xDB6295993C439041u,
                             0xFE5163ABDEBBC561u,
                             0xB7246E3A424DD2E0u,
                             0x06492EEA09D1921Cu,
                             0xFE1DEB1CB129A73Eu,
                             0xE88235F52EBB4484u};
  const int64_t word = bit >> 6;
  const int64_t part = bit & 63;
  return part == 0 ? words[word] : (words[word] << part) | (words[word + 1] >> (64 - part));
}

// 2^30 <= |x| < 2^256.
FETTLE_FN SineCosine sineOfLarge(double x) {
  const int64_t bits = longBits(x);
  const int64_t exponent = ((bits >> 52) & 0x7FF) - 1023 - 52;
  const uint64_t integer = (uint64_t(bits) & 0x000FFFFFFFFFFFFFu) | 0x0010000000000000u;
  // Bits of 2/pi before this one only add multiples of 4 quadrants.
  const int64_t first = exponent + 62;
  const uint64_t high = twoOverPi(first), middle = twoOverPi(first + 64), low = twoOverPi(first + 128);
  const uint64_t middleProduct = integer * middle;
  const uint64_t p1 = middleProduct + highProduct(integer, low);
  const uint64_t p2 = integer * high + highProduct(integer, middle) + (p1 < middleProduct ? 1u : 0u);
  int64_t quadrant = int64_t((p2 + 0x2000000000000000u) >> 62);
  const int64_t fraction = int64_t((p2 << 2) | (p1 >> 62));
  const double rest = double(int64_t((p1 << 2) >> 11)) * 0x1p-117;
  double r = (double(fraction) * 0x1p-64 + rest) * 0x1.921fb54442d18p0;
  if (bits < 0) {
    r = -r;
    quadrant = -quadrant;
  }
  return sineOfReduced(r, quadrant);
}

// NaN for what has no sine, and from 2^256 on.
FETTLE_FN SineCosine sineCosineOf(double x) {
  const double magnitude = x < 0.0 ? -x : x;
  if (magnitude < sineFastLimit) return sineOfModerate(x);
  if (magnitude < 0x1p256) return sineOfLarge(x);
  const double nan = fromLongBits(0x7FF8000000000000);
  return {nan, nan};
}

}  // namespace FETTLE_TIER
}  // namespace fettle
