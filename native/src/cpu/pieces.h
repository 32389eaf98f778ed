// The pipeline's pieces around the rule: gradient check, mask.
#pragma once

#include <string.h>

#include "core/prologue.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

// Which lanes of a vector a pruning mask keeps. The first lane's bit is bit `first` of bits[0].
FETTLE_FN Mask keptLanes(const uint8_t* bits, int first) {
#if defined(__AVX512F__)
  const int word = bits[0] | bits[1] << 8 | (first == 0 ? 0 : bits[2] << 16);
  return {__mmask16(word >> first)};
#else
  const int word = (bits[0] | (first == 0 ? 0 : bits[1] << 8)) >> first;
  const __m256i position = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(word), position), position))};
#endif
}

// Of the `count` lanes that there are; nothing behind the last one's bit is read.
FETTLE_FN Mask keptLanes(const uint8_t* bits, int first, int64_t count) {
  if (count >= Vector::lanes) return keptLanes(bits, first);
  uint8_t copy[Vector::lanes / 8 + 1] = {};
  memcpy(copy, bits, size_t(first + count + 7) / 8);
  return keptLanes(copy, first);
}

// x where it is kept, else +0, whatever x is.
FETTLE_FN Vector masked(Vector x, Mask kept) {
#if defined(__AVX512F__)
  return _mm512_maskz_mov_ps(kept.bits, x.v);
#else
  return _mm256_and_ps(x.v, kept.bits);
#endif
}

// The first `count` lanes, else 0.
FETTLE_FN Vector firstOf(Vector x, int count) {
  float lane[Vector::lanes];
  x.store(lane);
  return Vector::loadPart(lane, count);
}

FETTLE_FN Vector masked(Vector x, const uint8_t* bits, int first) { return masked(x, keptLanes(bits, first)); }

// Transforms a tile of gradients, whose scratch is written to the end of its last vector (with 0 behind n); answers
// whether every value was finite, as given and once unscaled. What a mask prunes counts as +0; no mask is null.
[[maybe_unused]] static bool prologueTile(const Prologue& prologue, const float* g, const uint8_t* mask, int firstBit,
                                          int n, float* to) {
  // x - x is 0 for a finite x and NaN otherwise, so one running sum keeps the verdict of all of them.
  const Vector unscale(prologue.unscale);
  Vector verdict(0.0f);
  for (int i = 0; i < n; i += Vector::lanes) {
    Vector raw = n - i < Vector::lanes ? Vector::loadPart(g + i, n - i) : Vector::load(g + i);
    if (mask != nullptr) raw = masked(raw, keptLanes(mask + i / 8, firstBit, n - i));
    const Vector scaled = raw * unscale;
    verdict = verdict + ((raw - raw) + (scaled - scaled));
    prologue.apply(raw).store(to + i);
  }
  float lane[Vector::lanes];
  verdict.store(lane);
  float sum = 0.0f;
  for (int k = 0; k < Vector::lanes; k++) sum += lane[k];
  return sum == 0.0f;
}

}  // namespace FETTLE_TIER
}  // namespace fettle
