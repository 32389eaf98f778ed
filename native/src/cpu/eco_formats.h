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
// The power of two below a magnitude, or the least one, with the sign.
FETTLE_FN Vector signedBinade(Vector x, float least) {
  const __m512i part = _mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(int32_t(0xFF800000u)));
  return _mm512_range_ps(_mm512_castsi512_ps(part), _mm512_set1_ps(least), 3);
}
// 8 / x for a power of two.
FETTLE_FN Vector eightOver(Vector x) {
  return _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(int32_t(257u << 23)), _mm512_castps_si512(x.v)));
}
FETTLE_FN Vector loadF16(const uint8_t* codes) {
  const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(int16_t(0xBFFF))));
}
// A bit per lane.
FETTLE_FN uint32_t lanesEqual(Lanes32 x, Lanes32 y) { return _mm512_cmpeq_epi32_mask(x, y); }
FETTLE_FN Lanes32 shiftedRight20(Lanes32 x) { return _mm512_srli_epi32(x, 20); }
// Bits 0 to 6 of codes, bit 7 from a sign.
FETTLE_FN Lanes32 signedCode(Lanes32 code, Vector x) {
  return _mm512_ternarylogic_epi32(_mm512_set1_epi32(0x7F), code, _mm512_srli_epi32(bitsOf(x), 24), 0xCA);
}
// Fields of 4 bits, with a sign.
FETTLE_FN Vector loadNibbles(const uint8_t* codes) {
  const __m512i words = _mm512_castsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  const __m512i spread =
      _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1), words);
  const __m512i toTop = _mm512_setr_epi32(28, 24, 20, 16, 12, 8, 4, 0, 28, 24, 20, 16, 12, 8, 4, 0);
  return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_sllv_epi32(spread, toTop), 28));
}

#else

FETTLE_FN Vector exponentPart(Vector x) {
  return _mm256_and_ps(x.v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7F800000)));
}
FETTLE_FN Vector atLeast(Vector x, float least) { return _mm256_max_ps(x.v, _mm256_set1_ps(least)); }
FETTLE_FN Vector atMost(Vector x, float most) { return _mm256_min_ps(x.v, _mm256_set1_ps(most)); }
FETTLE_FN Vector signedBinade(Vector x, float least) { return signedAs(atLeast(exponentPart(x), least), x); }
FETTLE_FN Vector eightOver(Vector x) {
  return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(int32_t(257u << 23)), _mm256_castps_si256(x.v)));
}
FETTLE_FN Vector loadF16(const uint8_t* codes) {
  const __m128i words = _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
  return _mm256_cvtph_ps(_mm_and_si128(_mm_slli_epi16(words, 7), _mm_set1_epi16(int16_t(0xBFFF))));
}
FETTLE_FN uint32_t lanesEqual(Lanes32 x, Lanes32 y) {
  return uint32_t(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(x, y))));
}
FETTLE_FN Lanes32 shiftedRight20(Lanes32 x) { return _mm256_srli_epi32(x, 20); }
FETTLE_FN Lanes32 signedCode(Lanes32 code, Vector x) {
  return _mm256_or_si256(_mm256_and_si256(code, _mm256_set1_epi32(0x7F)),
                         _mm256_and_si256(_mm256_srli_epi32(bitsOf(x), 24), _mm256_set1_epi32(0x80)));
}
FETTLE_FN Vector loadNibbles(const uint8_t* codes) {
  int32_t word;
  memcpy(&word, codes, sizeof word);
  const __m256i toTop = _mm256_setr_epi32(28, 24, 20, 16, 12, 8, 4, 0);
  return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(word), toTop), 28));
}

#endif

// Numbers, without a -0, and their codes in the low bytes of lanes.
struct EcoCodes {
  Vector number;
  Lanes32 code;
};

// E4M3 codes as numbers / 256.
struct Fp8Lanes {
  using Scalar = EcoFp8;
  // Elements that are stored together.
  static constexpr int batch = 4 * Vector::lanes;

  FETTLE_FN Vector load(const uint8_t* codes, int64_t i) { return loadF16(codes + i); }
  FETTLE_FN void store(uint8_t* codes, int64_t i, const EcoCodes* of) {
    storeBytes(codes + i, bytesOfLanes<false>(of[0].code, of[1].code, of[2].code, of[3].code));
  }

  // Of a number that rounds to a code, not beyond.
  FETTLE_FN EcoCodes nearest(Vector x) {
    // Its last place is the spacing of codes: adding it rounds, and leaves in the last places how many spacings there are, up to 16.
    // 8 times the exponent and those make the code, but for a constant, which is among the aligner's last places.
    const Lanes32 toAligner = lanesOf((20u << 23) + 0xD8u);
    const Vector aligner = floatsOfBits(plus(bitsOf(signedBinade(x, 0x1p-14f)), toAligner));
    const Vector sum = x + aligner;
    return {sum - aligner, signedCode(plus(bitsOf(sum), shiftedRight20(bitsOf(sum))), x)};
  }

  FETTLE_FN EcoCodes stochastic(Vector x, const uint32_t* words) {
    const Vector magnitude = absolute(x);
    const Vector binade = atLeast(exponentPart(magnitude), 0x1p-14f);
    const Vector inSpacings = magnitude * eightOver(binade);
    const Vector whole = floorOf(inSpacings);
    const Mask up = roundsUp(inSpacings, whole, words);
    const Vector rounded = select(up, whole + Vector(1.0f), whole) * (binade * Vector(0.125f));
    return nearest(signedAs(atMost(rounded, EcoFp8::largest), x));
  }
};

struct Int4Lanes {
  using Scalar = EcoInt4;
  static constexpr int batch = int(ecoGroup);

  FETTLE_FN Vector load(const uint8_t* codes, int64_t i) { return loadNibbles(codes + i / 2); }
  FETTLE_FN void store(uint8_t* codes, int64_t i, const EcoCodes* of) {
    for (int k = 0; k < batch / Vector::lanes; k++) {
      const __m128i pairs = _mm_maddubs_epi16(bytesOfLanes<false>(of[k].code), _mm_set1_epi16(0x1001));
      const __m128i bytes = _mm_packus_epi16(pairs, pairs);
      memcpy(codes + (i + k * Vector::lanes) / 2, &bytes, Vector::lanes / 2);
    }
  }

  FETTLE_FN EcoCodes nearest(Vector x) {
    const Vector sum = x + Vector(12582912.0f);
    return {sum - Vector(12582912.0f), both(bitsOf(sum), lanesOf(15))};
  }

  FETTLE_FN EcoCodes stochastic(Vector x, const uint32_t* words) {
    const Vector magnitude = atMost(absolute(x), EcoInt4::largest);
    const Vector whole = floorOf(magnitude);
    const Mask up = roundsUp(magnitude, whole, words);
    const Vector rounded = atMost(select(up, whole + Vector(1.0f), whole), EcoInt4::largest);
    return nearest(signedAs(rounded, x));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
