// Sums over models, per chunk and in the fixed order of core/tree.h; the halving tree over chunks is the caller's.
// The Java twin is org.fettle.internal.kernels.MergeSumKernels.
#pragma once

#include "kernels/merge/values.h"

namespace fettle {
namespace FETTLE_TIER {

// The inner products of all pairs of x_k - base, k < models <= 8. A unit is a chunk of a row.
// array 0: F64 sums, models (models + 1) / 2 per unit: pairs (0,0), (0,1), ..., (1,1), ...; 1: base, may be absent;
// 2 + k: x_k. integer 0: models; 1: row length.
struct DeltaDots {
  static constexpr int most = 8;
  enum Array { sums, base, model };
  enum Integer { models, rowLength };

  FETTLE_FN float delta(const fettle_call& call, int k, int64_t i) {
    const float x = valueAt(call, model + k, i);
    return call.array[base] == nullptr ? x : x - valueAt(call, base, i);
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int count = int(call.integer[models]);
    const RowSpan at = rowSpan(call.integer[rowLength], unit);
    const int used = int(smaller(reductionLanes, at.last - at.first));
    double* to = arrayOf<double>(call, sums) + unit * (count * (count + 1) / 2);
    for (int j = 0; j < count; j++) {
      for (int k = j; k < count; k++) {
        double lanes[reductionLanes];
        for (int l = 0; l < used; l++) {
          lanes[l] = 0.0;
          for (int64_t i = at.first + l; i < at.last; i += reductionLanes) {
            lanes[l] += double(delta(call, j, i)) * double(delta(call, k, i));
          }
        }
        *to++ = treeSum(lanes, used);
      }
    }
  }
};

// The sums of d and d^2, d = x - x_0 with the array's first element x_0, subtracted in float. A unit is a chunk.
// array 0: F64 sums, two per chunk; 1: x.
struct DeviationSums {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * FETTLE_CHUNK;
    const int64_t last = smaller(first + FETTLE_CHUNK, call.elements[1]);
    const float shift = valueAt(call, 1, 0);
    double plain[reductionLanes] = {};
    double square[reductionLanes] = {};
    for (int64_t i = first; i < last; i++) {
      const double d = double(valueAt(call, 1, i) - shift);
      plain[(i - first) % reductionLanes] += d;
      square[(i - first) % reductionLanes] += d * d;
    }
    arrayOf<double>(call, 0)[2 * unit] = treeSum(plain, reductionLanes);
    arrayOf<double>(call, 0)[2 * unit + 1] = treeSum(square, reductionLanes);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
