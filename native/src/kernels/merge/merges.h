// Merging of models, element by element: sums over the models in double, in the order of the models, rounded once to
// float and then to the output's format. A unit is a chunk. The Java twin is org.fettle.internal.kernels.MergeKernels.
//
// More models than a call has slots for go through several calls: `begins` starts the sums anew, else they are read
// from the accumulator; `ends` writes the result, else the sums go to the accumulator. Accumulators hold a plane of
// `length` doubles per sum, for elements `start` to start + length - 1.
#pragma once

#include "kernels/merge/values.h"

namespace fettle {
namespace FETTLE_TIER {

// Where a call of this file has what. Weights, if any, stand `weights` behind their model.
struct MergeSlot {
  enum Array { out, accumulator, base, extra, model, weights = 6 };
  enum Integer { models, begins, ends, start, length, rowLength, options };
};

// What a merge is told besides its elements.
struct MergeFactors {
  const double* number;
  int64_t options;
  double row;  // of a merge by rows
};

// number k: c_k; 12: d. The sum of c_k * x_k, and d.
struct Combination {
  static constexpr int sums = 1;
  static constexpr bool weighted = false;
  static constexpr bool based = false;
  static constexpr bool rows = false;
  static constexpr bool counts = false;
  FETTLE_FN double start(const MergeFactors& c) { return c.number[12]; }
  template <class D>
  FETTLE_FN void add(const MergeFactors& c, int k, D x, D, D, D, D* sum) {
    sum[0] = fma(D(c.number[k]), x, sum[0]);
  }
  template <class D>
  FETTLE_FN D finish(const MergeFactors&, D, D, const D* sum) {
    return sum[0];
  }
};

// t * (sum of c_k * x_k) + (1 - t) * base, with a t for each row: array `extra`, F64. Always in one call, over all elements.
struct RowBlend : Combination {
  static constexpr bool based = true;
  static constexpr bool rows = true;
  template <class D>
  FETTLE_FN D finish(const MergeFactors& c, D base, D, const D* sum) {
    return fma(D(c.row), sum[0], D(1.0 - c.row) * base);
  }
};

// number k: c_k; 6 + k: d_k; 12: the floor of the weights of the models whose bit of `options` is set.
// (sum of c_k F_k x_k) / (sum of c_k F_k); the sum of d_k x_k where that is 0 / 0, counted per chunk in array `extra`, F64.
struct FisherMerge {
  static constexpr int sums = 3;
  static constexpr bool weighted = true;
  static constexpr bool based = false;
  static constexpr bool rows = false;
  static constexpr bool counts = true;
  FETTLE_FN double start(const MergeFactors&) { return 0.0; }
  template <class D>
  FETTLE_FN void add(const MergeFactors& c, int k, D x, D weight, D, D, D* sum) {
    const D floor(c.number[12]);
    const D raised = (c.options >> k & 1) != 0 ? choose(weight < floor, floor, weight) : weight;
    const D factor = D(c.number[k]) * raised;
    sum[0] = fma(factor, x, sum[0]);
    sum[1] = sum[1] + factor;
    sum[2] = fma(D(c.number[6 + k]), x, sum[2]);
  }
  template <class D>
  FETTLE_FN D finish(const MergeFactors&, D, D, const D* sum) {
    return choose(sum[1] == D(0.0), sum[2], sum[0] / sum[1]);
  }
};

// number k: a_k; 12: a; 13: a_0; 14: delta_0. With H of the base in array `extra` and B = a_0 H_0 + delta_0:
// base + a * (sum of (a_k H_k + B) (x_k - base)) / (sum of a a_k H_k + B).
struct GradientMatch {
  static constexpr int sums = 2;
  static constexpr bool weighted = true;
  static constexpr bool based = true;
  static constexpr bool rows = false;
  static constexpr bool counts = false;
  FETTLE_FN double start(const MergeFactors&) { return 0.0; }
  template <class D>
  FETTLE_FN D ofBase(const MergeFactors& c, D baseWeight) {
    return fma(D(c.number[13]), baseWeight, D(c.number[14]));
  }
  template <class D>
  FETTLE_FN void add(const MergeFactors& c, int k, D x, D weight, D base, D baseWeight, D* sum) {
    const D own(c.number[k]);
    sum[0] = fma(fma(own, weight, ofBase(c, baseWeight)), x - base, sum[0]);
    sum[1] = fma(D(c.number[12] * c.number[k]), weight, sum[1]);
  }
  template <class D>
  FETTLE_FN D finish(const MergeFactors& c, D base, D baseWeight, const D* sum) {
    return fma(D(c.number[12]), sum[0] / (sum[1] + ofBase(c, baseWeight)), base);
  }
};

// A merge as a kernel.
template <class M>
struct Merge {
  FETTLE_FN RowSpan span(const fettle_call& call, int64_t unit) {
    if (M::rows) return rowSpan(call.integer[MergeSlot::rowLength], unit);
    const int64_t first = call.integer[MergeSlot::start] + unit * FETTLE_CHUNK;
    return {0, first, smaller(first + FETTLE_CHUNK, call.integer[MergeSlot::start] + call.integer[MergeSlot::length])};
  }

  FETTLE_FN MergeFactors factors(const fettle_call& call, int64_t row) {
    return {call.number, call.integer[MergeSlot::options],
            M::rows ? arrayOf<const double>(call, MergeSlot::extra)[row] : 0.0};
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const RowSpan at = span(call, unit);
    const MergeFactors c = factors(call, at.row);
    const int models = int(call.integer[MergeSlot::models]);
    double* kept = arrayOf<double>(call, MergeSlot::accumulator);
    double undecided = 0.0;
    for (int64_t i = at.first; i < at.last; i++) {
      const int64_t place = i - call.integer[MergeSlot::start];
      double sum[M::sums];
      for (int s = 0; s < M::sums; s++) {
        sum[s] = call.integer[MergeSlot::begins] != 0 ? M::start(c) : kept[s * call.integer[MergeSlot::length] + place];
      }
      const double base = M::based ? double(valueAt(call, MergeSlot::base, i)) : 0.0;
      const double baseWeight = M::based && M::weighted ? double(valueAt(call, MergeSlot::extra, i)) : 0.0;
      for (int k = 0; k < models; k++) {
        const double weight = M::weighted ? double(valueAt(call, MergeSlot::model + MergeSlot::weights + k, i)) : 0.0;
        M::add(c, k, double(valueAt(call, MergeSlot::model + k, i)), weight, base, baseWeight, sum);
      }
      if (call.integer[MergeSlot::ends] != 0) {
        putValue(call, MergeSlot::out, i, float(M::finish(c, base, baseWeight, sum)));
        if (M::counts && sum[M::sums > 1 ? 1 : 0] == 0.0) undecided += 1.0;
      } else {
        for (int s = 0; s < M::sums; s++) kept[s * call.integer[MergeSlot::length] + place] = sum[s];
      }
    }
    if (M::counts && call.integer[MergeSlot::ends] != 0) {
      arrayOf<double>(call, MergeSlot::extra)[at.first / FETTLE_CHUNK] = undecided;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
