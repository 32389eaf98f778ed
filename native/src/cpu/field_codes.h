// Codes of 1, 2 and 4 bits, packed and unpacked by vectors: kernels/formats/fields.h, whole registers of it.
#pragma once

#include <immintrin.h>

#include "kernels/formats/fields.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN __m128i loadBytes16(const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
FETTLE_FN void storeBytes16(uint8_t* to, __m128i bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes); }

// n codes, a multiple of 64.
FETTLE_FN void packFields(int bits, bool highFirst, const uint8_t* __restrict codes, int64_t n, uint8_t* __restrict packed) {
  if (bits == 4) {
    const __m128i places = _mm_set1_epi16(highFirst ? 0x0110 : 0x1001);
    const auto pairs = [&](int64_t i) { return _mm_maddubs_epi16(_mm_and_si128(loadBytes16(codes + i), _mm_set1_epi8(15)), places); };
    for (int64_t i = 0; i < n; i += 32) storeBytes16(packed + i / 2, _mm_packus_epi16(pairs(i), pairs(i + 16)));
  } else if (bits == 2) {
    const __m128i places = _mm_set1_epi16(highFirst ? 0x0104 : 0x0401);
    const __m128i pairPlaces = _mm_set1_epi32(highFirst ? 0x00010010 : 0x00100001);
    const auto quads = [&](int64_t i) {
      const __m128i pairs = _mm_maddubs_epi16(_mm_and_si128(loadBytes16(codes + i), _mm_set1_epi8(3)), places);
      return _mm_madd_epi16(pairs, pairPlaces);
    };
    for (int64_t i = 0; i < n; i += 64) {
      storeBytes16(packed + i / 4, _mm_packus_epi16(_mm_packs_epi32(quads(i), quads(i + 16)),
                                                    _mm_packs_epi32(quads(i + 32), quads(i + 48))));
    }
  } else {
    const __m128i order = highFirst ? _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8)
                                    : _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (int64_t i = 0; i < n; i += 16) {
      const int word = _mm_movemask_epi8(_mm_slli_epi16(_mm_shuffle_epi8(loadBytes16(codes + i), order), 7));
      packed[i / 8] = uint8_t(word);
      packed[i / 8 + 1] = uint8_t(word >> 8);
    }
  }
}

// n codes, a multiple of 64.
FETTLE_FN void unpackFields(int bits, bool highFirst, bool isSigned, const uint8_t* __restrict packed, int64_t n,
                            uint8_t* __restrict codes) {
  const __m128i sign = _mm_set1_epi8(int8_t(isSigned ? 1 << (bits - 1) : 0));
  const __m128i mask = _mm_set1_epi8(int8_t((1 << bits) - 1));
  const auto put = [&](int64_t i, __m128i fields) { storeBytes16(codes + i, _mm_sub_epi8(_mm_xor_si128(fields, sign), sign)); };
  // Field k of every byte.
  const auto fieldOf = [&](__m128i bytes, int k) {
    return _mm_and_si128(_mm_srl_epi16(bytes, _mm_cvtsi32_si128(highFirst ? 8 - bits - bits * k : bits * k)), mask);
  };
  if (bits == 4) {
    for (int64_t i = 0; i < n; i += 32) {
      const __m128i bytes = loadBytes16(packed + i / 2);
      const __m128i even = fieldOf(bytes, 0), odd = fieldOf(bytes, 1);
      put(i, _mm_unpacklo_epi8(even, odd));
      put(i + 16, _mm_unpackhi_epi8(even, odd));
    }
  } else if (bits == 2) {
    for (int64_t i = 0; i < n; i += 64) {
      const __m128i bytes = loadBytes16(packed + i / 4);
      const __m128i a = fieldOf(bytes, 0), b = fieldOf(bytes, 1), c = fieldOf(bytes, 2), d = fieldOf(bytes, 3);
      const __m128i lowAb = _mm_unpacklo_epi8(a, b), lowCd = _mm_unpacklo_epi8(c, d);
      const __m128i highAb = _mm_unpackhi_epi8(a, b), highCd = _mm_unpackhi_epi8(c, d);
      put(i, _mm_unpacklo_epi16(lowAb, lowCd));
      put(i + 16, _mm_unpackhi_epi16(lowAb, lowCd));
      put(i + 32, _mm_unpacklo_epi16(highAb, highCd));
      put(i + 48, _mm_unpackhi_epi16(highAb, highCd));
    }
  } else {
    const __m128i spread = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m128i place = _mm_set1_epi64x(highFirst ? 0x0102040810204080 : int64_t(0x8040201008040201u));
    for (int64_t i = 0; i < n; i += 16) {
      uint16_t word;
      memcpy(&word, packed + i / 8, sizeof word);
      const __m128i bytes = _mm_shuffle_epi8(_mm_cvtsi32_si128(word), spread);
      put(i, _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(bytes, place), place), mask));
    }
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
