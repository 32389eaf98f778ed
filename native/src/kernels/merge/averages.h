// Averages of weights, outside a step. The Java twin is org.fettle.internal.kernels.AverageKernels.
#pragma once

#include "kernels/merge/values.h"

namespace fettle {
namespace FETTLE_TIER {

// One pass over the weights moves several averages. A unit is a chunk.
// array 0: the weights p; 1 + k: average k. integer 0: averages; 1: the form. number k: what the form says.
//   products     e <- a e + (1 - a) p, number a
//   difference   e <- e + t (p - e), number t
//   lookahead    the same, then p <- e
// A weight of 1 for p copies, whatever stood in e.
struct MoveAverages {
  enum Form { products, difference, lookahead };
  static constexpr int most = 15;

  template <class F>
  FETTLE_FN F moved(int64_t form, F e, F p, float keep, float take) {
    if (take == 1.0f) return p;
    return form == products ? movingAverage(e, p, F(keep), F(take)) : fma(F(take), p - e, e);
  }
  FETTLE_FN float keepOf(const fettle_call& call, int k) {
    return float(call.integer[1] == products ? call.number[k] : 1.0 - call.number[k]);
  }
  FETTLE_FN float takeOf(const fettle_call& call, int k) {
    return float(call.integer[1] == products ? 1.0 - call.number[k] : call.number[k]);
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * FETTLE_CHUNK;
    const int64_t last = smaller(first + FETTLE_CHUNK, call.elements[0]);
    for (int64_t i = first; i < last; i++) {
      const float p = valueAt(call, 0, i);
      float e = p;
      for (int k = 0; k < int(call.integer[0]); k++) {
        e = moved(call.integer[1], valueAt(call, 1 + k, i), p, keepOf(call, k), takeOf(call, k));
        putValue(call, 1 + k, i, e);
      }
      if (call.integer[1] == lookahead) putValue(call, 0, i, e);
    }
  }
};

// Exchanges two arrays of the same format, bit for bit. A unit is a chunk.
struct SwapValues {
  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const int64_t first = unit * FETTLE_CHUNK;
    const int64_t last = smaller(first + FETTLE_CHUNK, call.elements[0]);
    if (call.dtype[0] == FETTLE_F32) {
      exchange(arrayOf<uint32_t>(call, 0), arrayOf<uint32_t>(call, 1), first, last);
    } else {
      exchange(arrayOf<uint16_t>(call, 0), arrayOf<uint16_t>(call, 1), first, last);
    }
  }
  template <class T>
  FETTLE_FN void exchange(T* a, T* b, int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) {
      const T kept = a[i];
      a[i] = b[i];
      b[i] = kept;
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
