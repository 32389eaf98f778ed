// Block-wise formats on the CPU: whole blocks between memory and tiles of floats, a vector at a time.
#pragma once

#include "core/blocks.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

// The codes of one vector's lanes as integral floats. Four-bit codes: the even element is in the high nibble.
#if defined(__AVX512F__)

FETTLE_FN Vector floatsOf(__m128i bytes) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)); }

FETTLE_FN __m128i bytesFrom(Vector codes) { return _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(codes.v)); }

// Magnitudes as integers, which are ordered as the floats are, NaN above all.
using Magnitudes = __m512i;
FETTLE_FN Magnitudes magnitudesOf(Vector x) {
  return _mm512_and_si512(_mm512_castps_si512(x.v), _mm512_set1_epi32(0x7FFFFFFF));
}
FETTLE_FN Magnitudes larger(Magnitudes a, Magnitudes b) { return _mm512_max_epi32(a, b); }
FETTLE_FN float largestOf(Magnitudes a) { return floatOf(uint32_t(_mm512_reduce_max_epi32(a))); }

#else

FETTLE_FN Vector floatsOf(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)); }

FETTLE_FN __m128i bytesFrom(Vector codes) {
  const __m256i words = _mm256_cvttps_epi32(codes.v);
  const __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  return _mm_packus_epi16(halves, halves);
}

using Magnitudes = __m256i;
FETTLE_FN Magnitudes magnitudesOf(Vector x) {
  return _mm256_and_si256(_mm256_castps_si256(x.v), _mm256_set1_epi32(0x7FFFFFFF));
}
FETTLE_FN Magnitudes larger(Magnitudes a, Magnitudes b) { return _mm256_max_epi32(a, b); }
FETTLE_FN float largestOf(Magnitudes a) {
  __m128i half = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xB1));
  return floatOf(uint32_t(_mm_cvtsi128_si32(half)));
}

#endif

template <int bits>
FETTLE_FN Vector loadCodes(const uint8_t* from) {
  constexpr int size = Vector::lanes * bits / 8;
  __m128i bytes = _mm_setzero_si128();
  memcpy(&bytes, from, size);
  if (bits == 8) return floatsOf(bytes);
  const __m128i nibble = _mm_set1_epi8(15);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble);
  return floatsOf(_mm_unpacklo_epi8(high, _mm_and_si128(bytes, nibble)));
}

template <int bits>
FETTLE_FN void storeCodes(uint8_t* to, Vector codes) {
  constexpr int size = Vector::lanes * bits / 8;
  __m128i bytes = bytesFrom(codes);
  if (bits == 4) {
    const __m128i pairs = _mm_maddubs_epi16(bytes, _mm_set1_epi16(0x0110));
    bytes = _mm_packus_epi16(pairs, pairs);
  }
  memcpy(to, &bytes, size);
}

// One block to floats; scratch is written to the end of its last vector.
template <class Codec, int bits>
static inline void decodeBlock(const uint8_t* codes, float scale, int n, float* to) {
  const Vector factor(scale);
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    (Codec::decode(loadCodes<bits>(codes + i * bits / 8)) * factor).store(to + i);
  }
  if (i < n) {
    uint8_t rest[Vector::lanes] = {};
    memcpy(rest, codes + i * bits / 8, size_t((n - i) * bits + 7) / 8);
    (Codec::decode(loadCodes<bits>(rest)) * factor).store(to + i);
  }
}

template <class Codec, int bits, bool divides>
static inline void encodeScaled(const float* from, int n, float factor, uint8_t* codes) {
  const Vector by(factor);
  const auto encoded = [&](Vector x) { return Codec::encode(divides ? x / by : x * by); };
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    storeCodes<bits>(codes + i * bits / 8, encoded(Vector::load(from + i)));
  }
  if (i < n) {
    uint8_t rest[Vector::lanes];
    storeCodes<bits>(rest, encoded(Vector::loadPart(from + i, n - i)));
    memcpy(codes + i * bits / 8, rest, size_t((n - i) * bits + 7) / 8);
  }
}

// The largest magnitude; a NaN comes out.
static inline float largestMagnitude(const float* x, int n) {
  constexpr int chains = 4;
  constexpr int stride = chains * Vector::lanes;
  Magnitudes largest[chains];
  for (int k = 0; k < chains; k++) largest[k] = magnitudesOf(Vector(0.0f));
  int i = 0;
  for (; i + stride <= n; i += stride) {
    for (int k = 0; k < chains; k++) {
      largest[k] = larger(largest[k], magnitudesOf(Vector::load(x + i + k * Vector::lanes)));
    }
  }
  for (; i + Vector::lanes <= n; i += Vector::lanes) largest[0] = larger(largest[0], magnitudesOf(Vector::load(x + i)));
  if (i < n) largest[0] = larger(largest[0], magnitudesOf(Vector::loadPart(x + i, n - i)));
  return largestOf(larger(larger(largest[0], largest[1]), larger(largest[2], largest[3])));
}

template <class Codec, int bits>
static inline void encodeBlock(const float* from, int n, bool whole, uint8_t* codes, float* scale) {
  const float largest = largestMagnitude(from, n);
  if (!isFinite(bitsOf(largest))) {
    *scale = __builtin_nanf("");
    const int zero = int(Codec::encode(0.0f));
    memset(codes, bits == 8 ? zero : zero * 17, size_t(n * bits + 7) / 8);
    return;
  }
  const BlockScale by = Codec::scaleOf(largest, whole);
  *scale = by.stored;
  if (by.divides) {
    encodeScaled<Codec, bits, true>(from, n, by.factor, codes);
  } else {
    encodeScaled<Codec, bits, false>(from, n, by.factor, codes);
  }
}

// Elements first .. first + n - 1 of an operand to floats. `first` and n may lie within blocks, but at whole bytes.
[[maybe_unused]] static __attribute__((noinline)) void decodeBlocks(const fettle_tensor& tensor, const fettle_operand& operand,
                                                   int64_t first, int n, float* to) {
  const int64_t length = tensor.row_length;
  const int64_t within = tensor.rows == 1 ? first : first % length;
  const int skip = int(within % operand.block_size);
  const BlockSpan span = blocksAt(tensor, operand, first - skip);
  withCodec(operand.dtype, [&](auto codec) {
    using Codec = decltype(codec);
    constexpr int bits = codeBits<Codec>;
    int at = 0;
    int from = skip;
    for (int64_t block = 0; at < n; block++) {
      const int left = int(span.size) - from;
      const int count = n - at < left ? n - at : left;
      const int64_t start = block * span.size + from;
      decodeBlock<Codec, bits>(span.codes + start * bits / 8, span.scales[block], count, to + at);
      at += count;
      from = 0;
    }
  });
}

// The way back, for whole blocks of a row, of which the last may end with the row.
[[maybe_unused]] static __attribute__((noinline)) void encodeBlocks(const fettle_tensor& tensor, const fettle_operand& operand,
                                                   int64_t first, int n, const float* from) {
  const BlockSpan span = blocksAt(tensor, operand, first);
  withCodec(operand.dtype, [&](auto codec) {
    using Codec = decltype(codec);
    constexpr int bits = codeBits<Codec>;
    for (int at = 0, block = 0; at < n; at += int(span.size), block++) {
      const int count = n - at < int(span.size) ? n - at : int(span.size);
      encodeBlock<Codec, bits>(from + at, count, count == span.size, span.codes + int64_t(at) * bits / 8,
                               span.scales + block);
    }
  });
}

}  // namespace FETTLE_TIER
}  // namespace fettle
