// Forced weight normalisation (EDM2): rows of nearly unit RMS, and the gradient through that. A unit is a row.
// The Java twin is org.fettle.internal.kernels.RowNormalizeKernels.
#pragma once

#include "kernels/merge/values.h"

namespace fettle {
namespace FETTLE_TIER {

// What both have in common: integer 0: row length f; number 0: eps; 1: the gain, or gain / sqrt(f); 2: 1 / sqrt(f).
// array `scratch`: F64, a double per chunk of every row.
struct RowNorm {
  FETTLE_FN double dot(const fettle_call& call, int a, int b, int scratch, int64_t row) {
    const int64_t length = call.integer[0];
    const int64_t chunks = unitsOf(length, FETTLE_CHUNK);
    double* sums = arrayOf<double>(call, scratch) + row * chunks;
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
      const int64_t first = row * length + chunk * FETTLE_CHUNK;
      const int64_t last = smaller(first + FETTLE_CHUNK, (row + 1) * length);
      const int used = int(smaller(reductionLanes, last - first));
      double lanes[reductionLanes];
      for (int l = 0; l < used; l++) lanes[l] = 0.0;
      for (int64_t i = first; i < last; i++) {
        lanes[(i - first) % reductionLanes] += double(valueAt(call, a, i)) * double(valueAt(call, b, i));
      }
      sums[chunk] = treeSum(lanes, used);
    }
    return treeSum(sums, chunks);
  }
  FETTLE_FN double divisor(const fettle_call& call, double square) {
    return call.number[0] + rootOf(square) * call.number[2];
  }
};

// w -> w * gain / (eps + |w| / sqrt(f)). array 0: w; 1: out; 2: scratch.
struct RowNormalize : RowNorm {
  FETTLE_FN float factor(const fettle_call& call, double square) {
    return float(call.number[1] / divisor(call, square));
  }
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t length = call.integer[0];
    const float c = factor(call, dot(call, 0, 0, 2, row));
    for (int64_t i = row * length; i < (row + 1) * length; i++) putValue(call, 1, i, valueAt(call, 0, i) * c);
  }
};

// w, d -> d gain / q - w <w, d> gain / (sqrt(f) q^2 |w|), q the divisor above. array 0: w; 1: d; 2: out; 3: scratch.
struct RowNormalizeGradient : RowNorm {
  struct Factors {
    float direct, along;
  };
  FETTLE_FN Factors factors(const fettle_call& call, double square, double product) {
    const double q = divisor(call, square);
    // Of a row of one element both terms cancel but for eps.
    if (call.integer[0] == 1) return {float(call.number[1] * call.number[0] / (q * q)), 0.0f};
    const double along = -(call.number[1] * product * call.number[2]) / (q * q * rootOf(square));
    return {float(call.number[1] / q), square == 0.0 ? 0.0f : float(along)};
  }
  FETTLE_FN void unit(const fettle_call& call, int64_t row) {
    const int64_t length = call.integer[0];
    const double square = dot(call, 0, 0, 3, row);
    const Factors c = factors(call, square, dot(call, 0, 1, 3, row));
    for (int64_t i = row * length; i < (row + 1) * length; i++) {
      putValue(call, 2, i, fma(c.along, valueAt(call, 0, i), c.direct * valueAt(call, 1, i)));
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
