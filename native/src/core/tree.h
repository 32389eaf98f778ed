// The order in which partial sums are added; frozen with the first release.
#pragma once

#include "core/portable.h"

namespace fettle {
namespace FETTLE_TIER {

constexpr int reductionLanes = 128;

// Adds sums[0 .. count) by halving, in place: the upper half onto the lower until one is left.
FETTLE_FN double treeSum(double* sums, int64_t count) {
  if (count <= 0) return 0.0;
  int64_t half = 1;
  while (half < count) half *= 2;
  for (half /= 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half && i + half < count; i++) sums[i] += sums[i + half];
    if (count > half) count = half;
  }
  return sums[0];
}

// The largest of sums[0 .. count); a NaN comes out, whatever the order.
FETTLE_FN double largestOf(const double* sums, int64_t count) {
  double largest = 0.0;
  for (int64_t i = 0; i < count; i++) {
    if (sums[i] > largest || sums[i] != sums[i]) largest = sums[i];
    if (largest != largest) return largest;
  }
  return largest;
}

}  // namespace FETTLE_TIER
}  // namespace fettle
