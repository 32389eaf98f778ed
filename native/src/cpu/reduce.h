// The fixed-order double reduction on the CPU: chunks of 4,096 elements, 128 lanes, halving trees.
//
// Lane l of a chunk adds elements l, l + 128, ... in order; the lanes of a chunk and then the chunks are
// added by halving trees. A product of two floats is exact in double, so fma and multiply-add agree.
#pragma once

#include "core/tree.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lanes {
  alignas(64) double sum[reductionLanes];
  FETTLE_INLINE void clear() { memset(sum, 0, sizeof sum); }
};

// Adds a[i] * b[i], i < n; element 0 belongs to lane 0.
static void accumulate(Lanes& lanes, const float* a, const float* b, int n) {
  const int whole = n / reductionLanes * reductionLanes;
#if defined(__AVX512F__)
  constexpr int width = 64;
  for (int block = 0; block < reductionLanes; block += width) {
    __m512d sum[width / 8];
    for (int k = 0; k < width / 8; k++) sum[k] = _mm512_load_pd(lanes.sum + block + 8 * k);
    for (int i = block; i < whole; i += reductionLanes) {
      for (int k = 0; k < width / 8; k++) {
        const __m512d x = _mm512_cvtps_pd(_mm256_loadu_ps(a + i + 8 * k));
        const __m512d y = _mm512_cvtps_pd(_mm256_loadu_ps(b + i + 8 * k));
        sum[k] = _mm512_fmadd_pd(x, y, sum[k]);
      }
    }
    for (int k = 0; k < width / 8; k++) _mm512_store_pd(lanes.sum + block + 8 * k, sum[k]);
  }
#else
  constexpr int width = 32;
  for (int block = 0; block < reductionLanes; block += width) {
    __m256d sum[width / 4];
    for (int k = 0; k < width / 4; k++) sum[k] = _mm256_load_pd(lanes.sum + block + 4 * k);
    for (int i = block; i < whole; i += reductionLanes) {
      for (int k = 0; k < width / 4; k++) {
        const __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(a + i + 4 * k));
        const __m256d y = _mm256_cvtps_pd(_mm_loadu_ps(b + i + 4 * k));
        sum[k] = _mm256_fmadd_pd(x, y, sum[k]);
      }
    }
    for (int k = 0; k < width / 4; k++) _mm256_store_pd(lanes.sum + block + 4 * k, sum[k]);
  }
#endif
  for (int i = whole; i < n; i++) lanes.sum[i - whole] += double(a[i]) * double(b[i]);
}

// The largest of a[0 .. n) and what was there before; a NaN comes out. Exact, so the order does not matter.
[[maybe_unused]] static double largestTile(double before, const float* a, int n) {
  if (before != before) return before;
  Vector largest{float(before)};
  int i = 0;
  for (; i + Vector::lanes <= n; i += Vector::lanes) largest = larger(largest, Vector::load(a + i));
  float lane[Vector::lanes];
  largest.store(lane);
  float result = lane[0];
  for (int k = 1; k < Vector::lanes; k++) result = larger(result, lane[k]);
  for (; i < n; i++) result = larger(result, a[i]);
  return double(result);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
