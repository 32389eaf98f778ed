// The formats of kernels/eco.h by vectors. Values are numbers that a code stands for, as floats.
#pragma once

#include "cpu/lanes.h"
#include "kernels/eco.h"

namespace fettle {
namespace FETTLE_TIER {

#if defined(__AVX512F__)

FETTLE_FN Vector exponentPart(Vector x) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(0x7F800000)));
}
FETTLE_FN Vector atLeast(Vector x, float least) { return _mm512_max_ps(x.v, _mm512_set1_ps(least)); }
FETTLE_FN Vector atMost(Vector x, float most) { return _mm512_min_ps(x.v, _mm512_set1_ps(most)); }
// 8 / x for a power of two.
FETTLE_FN Vector eightOver(Vector x) {
  return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(int32_t(257u << 23)), _mm512_castps_si512(x.v)));
}

// E4M3 codes as numbers / 256, exactly: those of F16 have the same mantissa at another bias.
FETTLE_FN Vector loadE4m3(const uint8_t* codes) {
  const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(int16_t(0xBFFF))));
}

FETTLE_FN void storeE4m3(uint8_t* codes, Vector value) {
  const __m256i half = _mm512_cvtps_ph(_mm512_mul_ps(value.v, _mm512_set1_ps(1.0f / 256.0f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // Bit 7 from the sign, the others from exponent and mantissa.
  const __m256i code =
      _mm256_ternarylogic_epi32(_mm256_set1_epi16(0x80), _mm256_srli_epi16(half, 8), _mm256_srli_epi16(half, 7), 0xCA);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm256_cvtepi16_epi8(code));
}

FETTLE_FN Vector fromBytes(__m128i bytes) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)); }
FETTLE_FN __m128i toBytes(Vector value) { return _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(value.v)); }

#else

FETTLE_FN Vector exponentPart(Vector x) {
  return _mm256_and_ps(x.v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000)));
}
FETTLE_FN Vector atLeast(Vector x, float least) { return _mm256_max_ps(x.v, _mm256_set1_ps(least)); }
FETTLE_FN Vector atMost(Vector x, float most) { return _mm256_min_ps(x.v, _mm256_set1_ps(most)); }
FETTLE_FN Vector eightOver(Vector x) {
  return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(int32_t(257u << 23)), _mm256_castps_si256(x.v)));
}

FETTLE_FN Vector loadE4m3(const uint8_t* codes) {
  const __m128i words = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(words, 7), _mm_set1_epi16(int16_t(0xBFFF))));
}

FETTLE_FN void storeE4m3(uint8_t* codes, Vector value) {
  const __m128i half = _mm256_cvtps_ph(_mm256_mul_ps(value.v, _mm256_set1_ps(1.0f / 256.0f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m128i code = _mm_or_si128(_mm_and_si128(_mm_srli_epi16(half, 7), _mm_set1_epi16(0x7F)),
                                    _mm_and_si128(_mm_srli_epi16(half, 8), _mm_set1_epi16(0x80)));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(codes), _mm_packus_epi16(code, code));
}

FETTLE_FN Vector fromBytes(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)); }
FETTLE_FN __m128i toBytes(Vector value) {
  const __m256i words = _mm256_cvttps_epi32(value.v);
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  return _mm_packs_epi16(halves, halves);
}

#endif

struct Fp8Lanes {
  using Scalar = EcoFp8;
  // What a loaded number is to be multiplied by.
  static constexpr double loaded = 256.0;

  FETTLE_FN Vector load(const uint8_t* codes, int64_t i) { return loadE4m3(codes + i); }
  FETTLE_FN void store(uint8_t* codes, int64_t i, Vector value) { storeE4m3(codes + i, value); }

  FETTLE_FN Vector nearest(Vector x) {
    const Vector magnitude = absolute(x);
    // Its last place is the spacing of codes: adding it rounds.
    const Vector aligner = atLeast(exponentPart(magnitude), 1.0f / 64.0f) * Vector(1048576.0f);
    return signedAs(atMost((magnitude + aligner) - aligner, EcoFp8::largest), x);
  }

  FETTLE_FN Vector stochastic(Vector x, const uint32_t* words) {
    const Vector magnitude = absolute(x);
    const Vector binade = atLeast(exponentPart(magnitude), 1.0f / 64.0f);
    const Vector inSpacings = magnitude * eightOver(binade);
    const Vector whole = floorOf(inSpacings);
    const Mask up = roundsUp(inSpacings, whole, words);
    const Vector rounded = select(up, whole + Vector(1.0f), whole) * (binade * Vector(0.125f));
    return signedAs(atMost(rounded, EcoFp8::largest), x);
  }
};

struct Int4Lanes {
  using Scalar = EcoInt4;
  static constexpr double loaded = 1.0;

  FETTLE_FN Vector load(const uint8_t* codes, int64_t i) {
    __m128i bytes = _mm_setzero_si128();
    memcpy(&bytes, codes + i / 2, Vector::lanes / 2);
    const __m128i nibble = _mm_set1_epi8(15), sign = _mm_set1_epi8(8);
    const __m128i nibbles = _mm_unpacklo_epi8(_mm_and_si128(bytes, nibble), _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble));
    return fromBytes(_mm_sub_epi8(_mm_xor_si128(nibbles, sign), sign));
  }
  FETTLE_FN void store(uint8_t* codes, int64_t i, Vector value) {
    const __m128i nibbles = _mm_and_si128(toBytes(value), _mm_set1_epi8(15));
    const __m128i pairs = _mm_maddubs_epi16(nibbles, _mm_set1_epi16(0x1001));
    const __m128i bytes = _mm_packus_epi16(pairs, pairs);
    memcpy(codes + i / 2, &bytes, Vector::lanes / 2);
  }

  FETTLE_FN Vector nearest(Vector x) {
    return (clamp(x, Vector(EcoInt4::largest)) + Vector(12582912.0f)) - Vector(12582912.0f);
  }

  FETTLE_FN Vector stochastic(Vector x, const uint32_t* words) {
    const Vector magnitude = atMost(absolute(x), EcoInt4::largest);
    const Vector whole = floorOf(magnitude);
    const Mask up = roundsUp(magnitude, whole, words);
    const Vector rounded = atMost(select(up, whole + Vector(1.0f), whole), EcoInt4::largest);
    // There is no code for -0.
    return signedAs(rounded, x) + Vector(0.0f);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
