// Block-wise formats on the CPU: whole blocks between memory and tiles of floats, a vector at a time.
#pragma once

#include "core/blocks.h"
#include "cpu/block_vectors.h"

namespace fettle {
namespace FETTLE_TIER {

// Magnitudes as integers, which are ordered as the floats are, NaN above all.
FETTLE_FN Lanes32 magnitudesOf(Vector x) { return bitsOf(absolute(x)); }

// Codes of one vector, a byte each. Four-bit codes: the even element is in the high nibble.
template <int bits>
FETTLE_FN __m128i loadCodes(const uint8_t* from, size_t size) {
  __m128i bytes = _mm_setzero_si128();
  memcpy(&bytes, from, size);
  if (bits == 8) return bytes;
  const __m128i nibble = _mm_set1_epi8(15);
  return _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), nibble), _mm_and_si128(bytes, nibble));
}

// Bytes to codes side by side, which take up the first part of a register.
template <int bits>
FETTLE_FN Lanes32 packedCodes(Lanes32 bytes) {
  return bits == 8 ? bytes : pairedNibbles(bytes);
}

// One block to floats; scratch is written to the end of its last vector.
template <class Codec, int bits>
static inline void decodeBlock(const uint8_t* codes, float scale, int n, float* to) {
  const BlockVectors<Codec> vectors;
  const Vector factor(scale);
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    (vectors.value(loadCodes<bits>(codes + i * bits / 8, Vector::lanes * bits / 8)) * factor).store(to + i);
  }
  if (i < n) {
    (vectors.value(loadCodes<bits>(codes + i * bits / 8, size_t((n - i) * bits + 7) / 8)) * factor).store(to + i);
  }
}

// Four vectors at a time, as their codes fill a register.
template <class Codec, int bits, bool divides>
static inline void encodeScaled(const float* from, int n, float factor, uint8_t* codes) {
  constexpr int lanes = Vector::lanes;
  const BlockVectors<Codec> vectors;
  const Vector by(factor);
  const auto encoded = [&](const auto& loaded) {
    Lanes32 of[4];
    for (int k = 0; k < 4; k++) {
      const Vector x = loaded(k * lanes);
      of[k] = vectors.codes(divides ? x / by : x * by);
    }
    return packedCodes<bits>(bytesOfLanes<BlockVectors<Codec>::packsSigned>(of[0], of[1], of[2], of[3]));
  };
  int i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    const Lanes32 bytes = encoded([&](int at) { return Vector::load(from + i + at); });
    memcpy(codes + i * bits / 8, &bytes, size_t(4 * lanes * bits / 8));
  }
  if (i < n) {
    const Lanes32 bytes = encoded([&](int at) {
      const int left = n - i - at;
      return left <= 0      ? Vector(0.0f)
             : left < lanes ? Vector::loadPart(from + i + at, left)
                            : Vector::load(from + i + at);
    });
    memcpy(codes + i * bits / 8, &bytes, size_t((n - i) * bits + 7) / 8);
  }
}

// The largest magnitude; a NaN comes out.
static inline float largestMagnitude(const float* x, int n) {
  constexpr int chains = 4;
  constexpr int stride = chains * Vector::lanes;
  Lanes32 largest[chains];
  for (int k = 0; k < chains; k++) largest[k] = lanesOf(0);
  int i = 0;
  for (; i + stride <= n; i += stride) {
    for (int k = 0; k < chains; k++) {
      largest[k] = largerOf(largest[k], magnitudesOf(Vector::load(x + i + k * Vector::lanes)));
    }
  }
  for (; i + Vector::lanes <= n; i += Vector::lanes)
    largest[0] = largerOf(largest[0], magnitudesOf(Vector::load(x + i)));
  if (i < n) largest[0] = largerOf(largest[0], magnitudesOf(Vector::loadPart(x + i, n - i)));
  return floatOf(uint32_t(largestLane(largerOf(largerOf(largest[0], largest[1]), largerOf(largest[2], largest[3])))));
}

template <class Codec, int bits>
static inline void encodeBlock(const float* from, int n, float largest, bool whole, uint8_t* codes, float* scale) {
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
[[maybe_unused]] static __attribute__((noinline)) void decodeBlocks(BlockRows rows, const fettle_operand& operand,
                                                                    int64_t first, int n, float* to) {
  const int64_t within = rows.count == 1 ? first : first % rows.length;
  const int skip = int(within % operand.block_size);
  const BlockSpan span = blocksAt(rows, operand, first - skip);
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
[[maybe_unused]] static __attribute__((noinline)) void encodeBlocks(BlockRows rows, const fettle_operand& operand,
                                                                    int64_t first, int n, const float* from) {
  const BlockSpan span = blocksAt(rows, operand, first);
  withCodec(operand.dtype, [&](auto codec) {
    using Codec = decltype(codec);
    constexpr int bits = codeBits<Codec>;
    const int size = int(span.size);
    const auto countAt = [&](int at) { return n - at < size ? n - at : size; };
    float largest = largestMagnitude(from, countAt(0));
    for (int at = 0, block = 0; at < n; at += size, block++) {
      // The next block's first: its scale's long chain of operations then runs beside this block's codes.
      const int next = at + size;
      const float nextLargest = next < n ? largestMagnitude(from + next, countAt(next)) : 0.0f;
      encodeBlock<Codec, bits>(from + at, countAt(at), largest, countAt(at) == size,
                               span.codes + int64_t(at) * bits / 8, span.scales + block);
      largest = nextLargest;
    }
  });
}

}  // namespace FETTLE_TIER
}  // namespace fettle
