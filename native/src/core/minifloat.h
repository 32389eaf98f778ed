// Floating formats of at most 8 bits, one element at a time, in operations that every backend repeats.
//
// A code is sign, exponent, mantissa from the high bits down. Twin: org.fettle.internal.MinifloatCodec.
#pragma once

#include "core/formats.h"

namespace fettle {
namespace FETTLE_TIER {

// What tells one format from another. nanCode < 0: the format has none, and a NaN becomes 0.
struct Minifloat {
  int32_t mantissaBits;
  int32_t bias;
  int32_t largestCode;   // of the finite magnitudes
  int32_t overflowCode;  // what a larger magnitude becomes; largestCode in the saturating formats
  int32_t nanCode;
  int32_t infinityCode;  // 256 where there is none
  int32_t signBit;
};

enum MinifloatFormat { formatE4M3 = 0, formatE5M2 = 1, formatE2M3 = 2, formatE3M2 = 3, formatE2M1 = 4, formatE8M0 = 5 };

FETTLE_FN Minifloat minifloatOf(int64_t format, bool saturating) {
  switch (format) {
    case formatE4M3: return {3, 7, 0x7E, saturating ? 0x7E : 0x7F, 0x7F, 256, 0x80};
    case formatE5M2: return {2, 15, 0x7B, saturating ? 0x7B : 0x7C, 0x7E, 0x7C, 0x80};
    case formatE2M3: return {3, 1, 0x1F, 0x1F, -1, 256, 0x20};
    case formatE3M2: return {2, 3, 0x1F, 0x1F, -1, 256, 0x20};
    default: return {1, 1, 0x07, 0x07, -1, 256, 0x08};
  }
}

// The smallest normal magnitude, as float bits.
FETTLE_FN uint32_t smallestNormal(const Minifloat& f) { return uint32_t(128 - f.bias) << 23; }

// The sign, and what becomes of overflow and NaN.
FETTLE_FN int32_t finishCode(const Minifloat& f, uint32_t bits, int32_t code) {
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  const int32_t sign = (bits >> 31) != 0 ? f.signBit : 0;
  const int32_t limited = code > f.largestCode ? f.overflowCode : code;
  const int32_t nan = f.nanCode < 0 ? 0 : f.nanCode | sign;
  return magnitude > 0x7F800000u ? nan : limited | sign;
}

// x * factor to form a code of. Of a NaN product machines choose the sign each in its way; here it has the sign of x.
FETTLE_FN float scaledBy(float x, float factor) {
  const float y = x * factor;
  return y == y ? y : floatOf(0x7FC00000u | (bitsOf(x) & 0x80000000u));
}

// To the nearest code, ties to even.
FETTLE_FN int32_t encodeNearest(const Minifloat& f, float x) {
  const uint32_t bits = bitsOf(x);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  const int32_t shift = 23 - f.mantissaBits;
  // Below the smallest normal the spacing is constant: the addition of a power of two rounds to it.
  const float aligner = floatOf(uint32_t(128 - f.bias + shift) << 23);
  const int32_t subnormal = int32_t(bitsOf(floatOf(magnitude) + aligner) - bitsOf(aligner));
  const uint32_t half = (1u << (shift - 1)) - 1u + ((magnitude >> shift) & 1u);
  const int32_t normal = int32_t((magnitude + half) >> shift) - ((127 - f.bias) << f.mantissaBits);
  return finishCode(f, bits, magnitude < smallestNormal(f) ? subnormal : normal);
}

// Up or down by a random word; NaN and infinity take no noise.
FETTLE_FN int32_t encodeStochastic(const Minifloat& f, float x, uint32_t word) {
  const uint32_t bits = bitsOf(x);
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude >= 0x7F800000u) return finishCode(f, bits, 1 << 20);
  const uint32_t exponent = magnitude >= 0x00800000u ? magnitude >> 23 : 1u;
  const uint32_t significand = magnitude >= 0x00800000u ? (magnitude & 0x007FFFFFu) | 0x00800000u : magnitude;
  const uint32_t least = uint32_t(128 - f.bias);
  const uint32_t kept = uint32_t(23 - f.mantissaBits);
  const uint32_t shift = exponent >= least ? kept : kept + (least - exponent);
  int32_t code = 0;
  if (shift < 32u) code = int32_t(significand >> shift);
  if (exponent > least) code += int32_t(exponent - least) << f.mantissaBits;
  // The dropped part as a 24-bit fraction of a spacing.
  const uint32_t dropped = shift < 32u ? significand & ((1u << shift) - 1u) : significand;
  uint32_t fraction = 0;
  if (shift <= 24u) {
    fraction = dropped << (24u - shift);
  } else if (shift < 48u) {
    fraction = dropped >> (shift - 24u);
  }
  if ((word >> 8) + fraction >= (1u << 24)) code++;
  return finishCode(f, bits, code);
}

FETTLE_FN float decodeMinifloat(const Minifloat& f, int32_t code) {
  const int32_t magnitude = code & (f.signBit - 1);
  const uint32_t sign = (code & f.signBit) != 0 ? 0x80000000u : 0u;
  // Moving the exponent's bias by a product is exact, subnormals included.
  const float scaled = floatOf(uint32_t(magnitude) << (23 - f.mantissaBits)) * floatOf(uint32_t(254 - f.bias) << 23);
  const uint32_t finite = bitsOf(scaled);
  const uint32_t special = magnitude == f.infinityCode ? 0x7F800000u : 0x7FC00000u;
  return floatOf(sign | (magnitude > f.largestCode ? special : finite));
}

// 2^(code - 127); 255 is NaN.
FETTLE_FN float decodeE8m0(int32_t code) {
  if (code == 255) return floatOf(0x7FC00000u);
  return code == 0 ? floatOf(0x00400000u) : floatOf(uint32_t(code) << 23);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
