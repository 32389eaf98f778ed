// Random words by vectors: core/philox.h, a quad of elements per lane.
#pragma once

#include "core/noise.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

#if defined(__AVX512F__)

using WordVector = __m512i;

FETTLE_FN WordVector wordsOf(uint32_t x) { return _mm512_set1_epi32(int32_t(x)); }
FETTLE_FN WordVector lowProduct(WordVector a, WordVector b) { return _mm512_mullo_epi32(a, b); }
FETTLE_FN WordVector highProduct(WordVector a, WordVector b) {
  const __m512i even = _mm512_mul_epu32(a, b);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), b);
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}
FETTLE_FN WordVector exclusiveOr(WordVector a, WordVector b, WordVector c) {
  return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}
// The quads of the lanes are such that transposing within 128 bits leaves the words in order of elements.
FETTLE_FN void countQuads(uint64_t quad, WordVector& low, WordVector& high) {
  const __m512i first = wordsOf(uint32_t(quad));
  low = _mm512_add_epi32(first, _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  high = wordsOf(uint32_t(quad >> 32));
  high = _mm512_mask_add_epi32(high, _mm512_cmplt_epu32_mask(low, first), high, _mm512_set1_epi32(1));
}
FETTLE_FN void storeTransposed(WordVector c0, WordVector c1, WordVector c2, WordVector c3, uint32_t* words) {
  const __m512i a = _mm512_unpacklo_epi32(c0, c1), b = _mm512_unpacklo_epi32(c2, c3);
  const __m512i c = _mm512_unpackhi_epi32(c0, c1), d = _mm512_unpackhi_epi32(c2, c3);
  _mm512_storeu_si512(words, _mm512_unpacklo_epi64(a, b));
  _mm512_storeu_si512(words + 16, _mm512_unpackhi_epi64(a, b));
  _mm512_storeu_si512(words + 32, _mm512_unpacklo_epi64(c, d));
  _mm512_storeu_si512(words + 48, _mm512_unpackhi_epi64(c, d));
}

#else

using WordVector = __m256i;

FETTLE_FN WordVector wordsOf(uint32_t x) { return _mm256_set1_epi32(int32_t(x)); }
FETTLE_FN WordVector lowProduct(WordVector a, WordVector b) { return _mm256_mullo_epi32(a, b); }
FETTLE_FN WordVector highProduct(WordVector a, WordVector b) {
  const __m256i even = _mm256_mul_epu32(a, b);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
FETTLE_FN WordVector exclusiveOr(WordVector a, WordVector b, WordVector c) {
  return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}
FETTLE_FN void countQuads(uint64_t quad, WordVector& low, WordVector& high) {
  const __m256i first = wordsOf(uint32_t(quad)), flip = _mm256_set1_epi32(INT32_MIN);
  low = _mm256_add_epi32(first, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
  const __m256i carry = _mm256_cmpgt_epi32(_mm256_xor_si256(first, flip), _mm256_xor_si256(low, flip));
  high = _mm256_sub_epi32(wordsOf(uint32_t(quad >> 32)), carry);
}
FETTLE_FN void storeTransposed(WordVector c0, WordVector c1, WordVector c2, WordVector c3, uint32_t* words) {
  const __m256i a = _mm256_unpacklo_epi32(c0, c1), b = _mm256_unpacklo_epi32(c2, c3);
  const __m256i c = _mm256_unpackhi_epi32(c0, c1), d = _mm256_unpackhi_epi32(c2, c3);
  const auto store = [words](int at, __m256i x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(words + at), x); };
  store(0, _mm256_unpacklo_epi64(a, b));
  store(8, _mm256_unpackhi_epi64(a, b));
  store(16, _mm256_unpacklo_epi64(c, d));
  store(24, _mm256_unpackhi_epi64(c, d));
}

#endif

// The words of n * Vector::lanes quads. Their rounds are one chain, so several are interleaved.
template <int n>
FETTLE_FN void drawVectors(const Noise& noise, uint64_t quad, uint32_t* words) {
  const WordVector factor0 = wordsOf(0xD2511F53u), factor1 = wordsOf(0xCD9E8D57u);
  WordVector c0[n], c1[n], c2[n], c3[n];
  for (int i = 0; i < n; i++) {
    countQuads(quad + uint64_t(i * Vector::lanes), c0[i], c1[i]);
    c2[i] = wordsOf(noise.step);
    c3[i] = wordsOf(noise.stream);
  }
  uint32_t k0 = uint32_t(noise.seed), k1 = uint32_t(noise.seed >> 32);
  for (int round = 0; round < 10; round++) {
    const WordVector key0 = wordsOf(k0), key1 = wordsOf(k1);
    for (int i = 0; i < n; i++) {
      const WordVector n0 = exclusiveOr(highProduct(c2[i], factor1), c1[i], key0);
      const WordVector n2 = exclusiveOr(highProduct(c0[i], factor0), c3[i], key1);
      c1[i] = lowProduct(c2[i], factor1);
      c3[i] = lowProduct(c0[i], factor0);
      c0[i] = n0;
      c2[i] = n2;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < n; i++) storeTransposed(c0[i], c1[i], c2[i], c3[i], words + 4 * Vector::lanes * i);
}

// Random words for a run of elements of any length: the word of element first + i is words[(first & 3) + i].
[[maybe_unused]] static __attribute__((noinline)) void drawWords(const Noise& noise, int64_t first, int n, uint32_t* words) {
  const uint64_t quad = uint64_t(first) >> 2;
  const int quads = (int(first & 3) + n + 3) / 4;
  int i = 0;
  for (; i + 2 * Vector::lanes <= quads; i += 2 * Vector::lanes) drawVectors<2>(noise, quad + uint64_t(i), words + 4 * i);
  if (i + Vector::lanes <= quads) {
    drawVectors<1>(noise, quad + uint64_t(i), words + 4 * i);
    i += Vector::lanes;
  }
  if (i < quads) {
    uint32_t rest[4 * Vector::lanes];
    drawVectors<1>(noise, quad + uint64_t(i), rest);
    memcpy(words + 4 * i, rest, size_t(quads - i) * sizeof(Words));
  }
}

// The words of a stretch of elements that is gone through from front to back.
class WordWindow {
 public:
  FETTLE_INLINE explicit WordWindow(const Noise& noise) : noise_(noise), begin_(0), end_(0) {}

  // Those of elements first .. first + count - 1; count is at most 64.
  FETTLE_INLINE const uint32_t* at(int64_t first, int count) {
    if (first < begin_ || first + count > end_) {
      begin_ = first & ~int64_t(3);
      end_ = begin_ + size;
      drawWords(noise_, begin_, size, words_);
    }
    return words_ + (first - begin_);
  }

 private:
  static constexpr int size = 512;
  Noise noise_;
  int64_t begin_, end_;
  uint32_t words_[size];
};

}  // namespace FETTLE_TIER
}  // namespace fettle
