// The codecs of core/blocks.h by vectors of integers: the same codes and values with fewer operations.
//
// A BlockVectors<Codec> lives as long as a loop. value() is what codes stand for, not scaled yet; codes() are those of numbers
// that are scaled already, saturated where they are packed to bytes (packsSigned or not). Numbers come from blocks whose largest
// magnitude is finite, so they are no NaN and, up to rounding, not above the largest value of the map.
#pragma once

#include "core/blocks.h"
#include "cpu/lanes.h"

namespace fettle {
namespace FETTLE_TIER {

// By the floats of core/blocks.h: what a new codec has until it gets a form of its own.
template <class Codec>
struct BlockVectors {
  static constexpr bool packsSigned = false;
  FETTLE_INLINE Vector value(__m128i bytes) const { return Codec::decode(toFloats(unsignedLanes(bytes))); }
  FETTLE_INLINE Lanes32 codes(Vector x) const { return roundedTo32(Codec::encode(x)); }
};

template <>
struct BlockVectors<LinearSigned> {
  static constexpr bool packsSigned = true;
  FETTLE_INLINE Vector value(__m128i bytes) const { return toFloats(signedLanes(bytes)); }
  FETTLE_INLINE Lanes32 codes(Vector x) const { return roundedTo32(x); }
};

template <int levels, class Scale>
struct BlockVectors<LinearPositive<levels, Scale>> {
  static constexpr bool packsSigned = false;
  // levels is a power of two: (code + 1) / levels is exact, as here.
  FETTLE_INLINE Vector value(__m128i bytes) const {
    const Vector cell(1.0f / float(levels));
    return fma(toFloats(unsignedLanes(bytes)), cell, cell);
  }
  FETTLE_INLINE Lanes32 codes(Vector x) const { return minus(roundedTo32(x * Vector(float(levels))), lanesOf(1)); }
};

template <>
struct BlockVectors<BlockE4m3> {
  static constexpr bool packsSigned = false;
  FETTLE_INLINE Vector value(__m128i bytes) const {
    const Lanes32 code = unsignedLanes(bytes);
    const Lanes32 magnitude = both(code, lanesOf(127));
    const Lanes32 sign = shiftedLeft(both(code, lanesOf(128)), lanesOf(24));
    // The fields of a float, but for the exponent's bias.
    const Vector finite = floatsOfBits(shiftedLeft(magnitude, lanesOf(20))) * Vector(floatOf((127u + 120u) << 23));
    return floatsOfBits(either(sign, equalTo(magnitude, lanesOf(127), lanesOf(0x7FC00000u), bitsOf(finite))));
  }
  FETTLE_INLINE Lanes32 codes(Vector x) const {
    constexpr uint32_t smallestNormal = (127u - 6u) << 23;
    const Vector magnitude = lesser(absolute(x), Vector(448.0f));
    const Lanes32 binade = largerOf(both(bitsOf(magnitude), lanesOf(0x7F800000u)), lanesOf(smallestNormal));
    // A power of two whose last place is the spacing: adding it rounds.
    const Lanes32 aligner = plus(binade, lanesOf(20u << 23));
    const Lanes32 inSpacings = minus(bitsOf(magnitude + floatsOfBits(aligner)), aligner);
    const Lanes32 code = minus(plus(inSpacings, shiftedRight(binade, lanesOf(20))), lanesOf(smallestNormal >> 20));
    return either(code, both(shiftedRight(bitsOf(x), lanesOf(24)), lanesOf(128)));
  }
};

// DynamicTables as whole numbers want them. No two of the thresholds between decades lie in one binade, so a magnitude's exponent
// tells its decade up to one comparison.
template <int decades, bool positive>
struct DynamicVectorTables : DynamicTables<decades, positive> {
  static constexpr int binades = 32;  // the last is that of 1; what lies below the first has its index
  float bound[binades];               // the threshold in a binade, or infinity
  int32_t below[binades];             // the decade up to it
  int32_t end[8];                     // one above the number of a decade's last value
  float width[8];                     // of a decade: a number's mantissa goes through it from 1 to 2

  static constexpr int binadeOf(float x) {
    int binade = binades - 1;
    for (float edge = 1.0f; x < edge && binade > 0; binade--) edge /= 2.0f;
    return binade;
  }

  constexpr DynamicVectorTables() : bound(), below(), end(), width() {
    for (int k = 0; k < binades; k++) bound[k] = __builtin_inff();
    for (int t = 1; t <= decades; t++) bound[binadeOf(this->threshold[t])] = this->threshold[t];
    for (int k = 0, t = 0; k < binades; k++) {
      below[k] = t;
      if (bound[k] < __builtin_inff()) t++;
    }
    for (int t = 0; t < 8; t++) {
      end[t] = int32_t(this->last[t]) + 1;
      width[t] = this->step[t] * this->origin[t];
    }
  }
};

template <int decades, bool positive>
constexpr DynamicVectorTables<decades, positive> dynamicVectorTables{};

template <int decades, bool positive, class Scale>
struct BlockVectors<DynamicMap<decades, positive, Scale>> {
  static constexpr bool packsSigned = false;
  static constexpr int32_t zero = (1 << decades) - 1;

  FETTLE_INLINE Vector value(__m128i bytes) const {
    const auto& table = dynamicVectorTables<decades, positive>;
    const Lanes32 code = unsignedLanes(bytes);
    const Lanes32 above = positive ? plus(code, lanesOf(1)) : minus(code, lanesOf(zero));
    const Vector number = absolute(toFloats(above));
    const Lanes32 decade = minus(shiftedRight(bitsOf(number), lanesOf(23)), lanesOf(positive ? 128 : 127));
    const Lanes32 mantissa = either(both(bitsOf(number), lanesOf(0x7FFFFFu)), lanesOf(0x3F800000u));
    const Vector magnitude =
        fma(lookUp8(table.width, decade), floatsOfBits(mantissa) - Vector(1.0f), lookUp8(table.start, decade));
    const Vector value = select(number < Vector(positive ? 2.0f : 1.0f), Vector(0.0f), magnitude);
    return positive ? value : floatsOfBits(either(bitsOf(value), both(above, lanesOf(0x80000000u))));
  }

  FETTLE_INLINE Lanes32 codes(Vector x) const {
    const auto& table = dynamicVectorTables<decades, positive>;
    const Vector magnitude = absolute(x);
    const Lanes32 t = decadeOf(bitsOf(magnitude));
    const Vector position = fma(magnitude, lookUp8(table.slope, t), lookUp8(table.offset, t));
    const Lanes32 next = smallerOf(ceilingTo32(position), lookUp8(table.end, t));
    // One above the number, like `next`.
    const Lanes32 nothing = lanesOf(positive ? 2 : 1);
    const Lanes32 number = above(bitsOf(magnitude), lanesOf(bitsOf(table.threshold[0])), next, nothing);
    if (positive) return unlessNegative(x, minus(number, lanesOf(2)), lanesOf(0));
    return unlessNegative(x, plus(number, lanesOf(zero - 1)), minus(lanesOf(zero + 1), number));
  }

 private:
  // Floats that are not negative are ordered as their bits are.
  FETTLE_FN Lanes32 decadeOf(Lanes32 bits) {
    const auto& table = dynamicVectorTables<decades, positive>;
#if defined(__AVX512F__)
    const __m512i binade = _mm512_subs_epu16(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(127 + 1 - table.binades));
    const auto at = [&](const auto* values) {
      return _mm512_permutex2var_epi32(_mm512_loadu_si512(values), binade, _mm512_loadu_si512(values + 16));
    };
    const __m512i below = at(table.below);
    return _mm512_mask_add_epi32(below, _mm512_cmpgt_epi32_mask(bits, at(table.bound)), below, _mm512_set1_epi32(1));
#else
    __m256i t = _mm256_setzero_si256();
    for (int k = 1; k <= decades; k++) {
      t = _mm256_sub_epi32(t, _mm256_cmpgt_epi32(bits, lanesOf(fettle::FETTLE_TIER::bitsOf(table.threshold[k]))));
    }
    return t;
#endif
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
