// The pipeline's pieces around the rule, one loop over a tile each: gradient check, mask, average.
#pragma once

#include "core/vector.h"
#include "cpu/tile.h"

namespace fettle {
namespace FETTLE_TIER {

// Leaves the transformed gradient in `to`; answers whether every value was finite, as given and once unscaled.
static bool prologueTile(const Prologue& prologue, const float* g, int n, float* to) {
  // x - x is 0 for a finite x and NaN otherwise, so one running sum keeps the verdict of all of them.
  const Vector unscale(prologue.unscale);
  Vector verdict(0.0f);
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    const Vector raw = Vector::load(g + i);
    const Vector scaled = raw * unscale;
    verdict = verdict + ((raw - raw) + (scaled - scaled));
    prologue.apply(raw).store(to + i);
  }
  float lane[Vector::lanes];
  verdict.store(lane);
  float sum = 0.0f;
  for (int k = 0; k < Vector::lanes; k++) sum += lane[k];
  for (; i < n; i++) {
    const float scaled = g[i] * prologue.unscale;
    sum += (g[i] - g[i]) + (scaled - scaled);
    to[i] = prologue.apply(g[i]);
  }
  return sum == 0.0f;
}

// Writes +0 where the mask's bit is 0, whatever stood there.
static void applyMask(float* p, const uint8_t* mask, int64_t first, int n) {
  if (first % 8 != 0) {
    for (int64_t k = 0; k < n; k++) {
      if ((mask[(first + k) / 8] >> ((first + k) % 8) & 1) == 0) p[k] = 0.0f;
    }
    return;
  }
  const uint8_t* bits = mask + first / 8;
  int i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    uint16_t keep;
    memcpy(&keep, bits + i / 8, sizeof keep);
    _mm512_storeu_ps(p + i, _mm512_maskz_loadu_ps(keep, p + i));
  }
#else
  const __m256i position = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  for (; i + 8 <= n; i += 8) {
    const __m256i byte = _mm256_set1_epi32(bits[i / 8]);
    const __m256i keep = _mm256_cmpeq_epi32(_mm256_and_si256(byte, position), position);
    _mm256_storeu_ps(p + i, _mm256_and_ps(_mm256_loadu_ps(p + i), _mm256_castsi256_ps(keep)));
  }
#endif
  for (; i < n; i++) {
    if ((bits[i / 8] >> (i % 8) & 1) == 0) p[i] = 0.0f;
  }
}

// average <- keep * average + take * p
static void applyAverage(float* average, const float* p, int n, float keep, float take) {
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) {
    movingAverage(Vector::load(average + i), Vector::load(p + i), Vector(keep), Vector(take)).store(average + i);
  }
  for (; i < n; i++) average[i] = movingAverage(average[i], p[i], keep, take);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
