// The fixed-order double reduction on the CPU: chunks of 4,096 elements, 128 lanes, halving trees.
//
// Lane l of a chunk adds elements l, l + 128, ... in order; the lanes of a chunk and then the chunks are
// added by halving trees. A product of two floats is exact in double, so fma and multiply-add agree.
#pragma once

#include "core/doubles.h"
#include "core/tree.h"
#include "core/vector.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lanes {
  alignas(64) double sum[reductionLanes];
  FETTLE_INLINE void clear() { memset(sum, 0, sizeof sum); }
};

// Adds a[i] * b[i], i < n; element 0 belongs to lane 0. Squares are widened once.
template <bool squares>
FETTLE_FN void accumulateProducts(Lanes& lanes, const float* a, const float* b, int n) {
  constexpr int each = Doubles::lanes;
  constexpr int width = 8 * each;
  const int whole = n / reductionLanes * reductionLanes;
  for (int block = 0; block < reductionLanes; block += width) {
    Doubles sum[8];
    for (int k = 0; k < 8; k++) sum[k] = Doubles::load(lanes.sum + block + each * k);
    for (int i = block; i < whole; i += reductionLanes) {
      for (int k = 0; k < 8; k++) {
        const Doubles x = Doubles::widen(a + i + each * k);
        sum[k] = fma(x, squares ? x : Doubles::widen(b + i + each * k), sum[k]);
      }
    }
    for (int k = 0; k < 8; k++) sum[k].store(lanes.sum + block + each * k);
  }
  for (int i = whole; i < n; i++) lanes.sum[i - whole] += double(a[i]) * double(b[i]);
}

[[maybe_unused]] static void accumulate(Lanes& lanes, const float* a, const float* b, int n) {
  accumulateProducts<false>(lanes, a, b, n);
}

[[maybe_unused]] static void accumulateSquares(Lanes& lanes, const float* a, int n) {
  accumulateProducts<true>(lanes, a, a, n);
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
