// 16-bit formats, one element at a time, in integer operations that every backend repeats.
//
// Nearest means to nearest, ties to even. Stochastic adds the random word below the last kept bit and
// truncates. NaN is stored as the canonical one; infinities skip the noise; overflow gives infinity.
#pragma once

#include <string.h>

#include "core/portable.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN uint32_t bitsOf(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

FETTLE_FN float floatOf(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

FETTLE_FN bool isNan(uint32_t bits) { return (bits & 0x7FFFFFFFu) > 0x7F800000u; }

FETTLE_FN bool isFinite(uint32_t bits) { return (bits & 0x7F800000u) != 0x7F800000u; }

struct Bf16 {
  FETTLE_FN float decode(uint16_t code) { return floatOf(uint32_t(code) << 16); }

  FETTLE_FN uint16_t nearest(float x) {
    const uint32_t bits = bitsOf(x);
    const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    return uint16_t(isNan(bits) ? 0x7FC0u : rounded);
  }

  FETTLE_FN uint16_t stochastic(float x, uint32_t word) {
    const uint32_t bits = bitsOf(x);
    const uint32_t noise = isFinite(bits) ? word >> 16 : 0u;
    return uint16_t(isNan(bits) ? 0x7FC0u : (bits + noise) >> 16);
  }
};

// The nearest bf16 value.
FETTLE_FN float toBf16(float x) { return Bf16::decode(Bf16::nearest(x)); }

struct F16 {
  FETTLE_FN float decode(uint16_t code) {
    const uint32_t sign = uint32_t(code & 0x8000u) << 16;
    const uint32_t magnitude = code & 0x7FFFu;
    if (magnitude >= 0x7C00u) return floatOf(sign | 0x7F800000u | ((magnitude & 0x3FFu) != 0 ? 0x400000u : 0u));
    // Scaling by 2^112 moves the exponent bias; both factors are exact, subnormals included.
    const float scaled = floatOf(magnitude << 13) * floatOf((127u + 112u) << 23);
    return floatOf(sign | bitsOf(scaled));
  }

  FETTLE_FN uint16_t nearest(float x) {
    const uint32_t bits = bitsOf(x);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return 0x7E00u;
    if (magnitude >= 0x477FF000u) return uint16_t(sign | 0x7C00u);
    const uint32_t shift = droppedBits(magnitude);
    const uint32_t significand = significandOf(magnitude);
    uint32_t code = codeOf(magnitude, significand, shift);
    if (shift < 32u) {
      const uint32_t dropped = significand & ((1u << shift) - 1u);
      const uint32_t half = 1u << (shift - 1u);
      if (dropped > half || (dropped == half && (code & 1u) != 0)) code++;
    }
    return uint16_t(sign | code);
  }

  FETTLE_FN uint16_t stochastic(float x, uint32_t word) {
    const uint32_t bits = bitsOf(x);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return 0x7E00u;
    if (magnitude >= 0x47800000u) return uint16_t(sign | 0x7C00u);
    const uint32_t shift = droppedBits(magnitude);
    const uint32_t significand = significandOf(magnitude);
    uint32_t code = codeOf(magnitude, significand, shift);
    // The dropped part as a 24-bit fraction; below 2^-24 of a spacing it never rounds up.
    const uint32_t dropped = shift < 32u ? significand & ((1u << shift) - 1u) : significand;
    uint32_t fraction = 0;
    if (shift <= 24u) {
      fraction = dropped << (24u - shift);
    } else if (shift < 48u) {
      fraction = dropped >> (shift - 24u);
    }
    if ((word >> 8) + fraction >= (1u << 24)) code++;
    return uint16_t(sign | code);
  }

 private:
  // The 24-bit significand of a float's magnitude.
  FETTLE_FN uint32_t significandOf(uint32_t magnitude) {
    return magnitude >= 0x00800000u ? (magnitude & 0x007FFFFFu) | 0x00800000u : magnitude;
  }

  // How many of its bits f16 cannot keep: 13, and more where the result is subnormal (exponent below -14).
  FETTLE_FN uint32_t droppedBits(uint32_t magnitude) {
    const uint32_t exponent = magnitude >= 0x00800000u ? magnitude >> 23 : 1u;
    return exponent >= 113u ? 13u : 13u + (113u - exponent);
  }

  // The truncated code; a carry out of its last bit runs into the exponent as it should.
  FETTLE_FN uint32_t codeOf(uint32_t magnitude, uint32_t significand, uint32_t shift) {
    if (shift >= 32u) return 0u;
    if (shift > 13u) return significand >> shift;
    return (magnitude >> 13) - (112u << 10);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
