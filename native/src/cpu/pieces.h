// The pipeline's pieces around the rule: gradient check, mask.
#pragma once

#include "core/prologue.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

// Transforms a tile of gradients, whose scratch is written to the end of its last vector (with 0 behind n); answers
// whether every value was finite, as given and once unscaled.
[[maybe_unused]] static bool prologueTile(const Prologue& prologue, const float* g, int n, float* to) {
  // x - x is 0 for a finite x and NaN otherwise, so one running sum keeps the verdict of all of them.
  const Vector unscale(prologue.unscale);
  Vector verdict(0.0f);
  for (int i = 0; i < n; i += Vector::lanes) {
    const Vector raw = n - i < Vector::lanes ? Vector::loadPart(g + i, n - i) : Vector::load(g + i);
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

// x where the mask's bit is 1, else +0, whatever x is. The first lane's bit is bit `first` of bits[0].
FETTLE_FN Vector masked(Vector x, const uint8_t* bits, int first) {
#if defined(__AVX512F__)
  const int word = bits[0] | bits[1] << 8 | (first == 0 ? 0 : bits[2] << 16);
  return _mm512_maskz_mov_ps(__mmask16(word >> first), x.v);
#else
  const int word = (bits[0] | (first == 0 ? 0 : bits[1] << 8)) >> first;
  const __m256i position = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i keep = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(word), position), position);
  return _mm256_and_ps(x.v, _mm256_castsi256_ps(keep));
#endif
}

}  // namespace FETTLE_TIER
}  // namespace fettle
