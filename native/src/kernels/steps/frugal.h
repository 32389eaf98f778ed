// FRUGAL's step on a matrix: AdamW where the selection is, a step without state elsewhere.
//
//   p <- p * decay
//   selected: m <- ema(m, g, beta1) ;  v <- ema(v, g * g, beta2) ;  p <- p - a * m / (sqrt(v) + eps)
//   others:   p <- p - b * f(g), f = sign, identity or nothing
//
// m and v hold the selected elements only, in the order of the selection: row by row of the matrix for columns, row by row of the
// list for rows. place says where a column, row or element stands in the selection, -1 for nowhere. Source: arXiv:2411.07837.
#pragma once

#include "core/numeric.h"
#include "kernels/kernel.h"

namespace fettle {
namespace FETTLE_TIER {

struct Frugal {
  enum Array { parameter, gradient, first, second, place };
  enum Integer { elements, columns, selected, selection, rule };
  enum Selection { nothing, byColumn, byRow, byElement };
  enum Rule { none, signs, identity };
  enum Number { decay, beta1, oneMinusBeta1, beta2, oneMinusBeta2, minusStepSize, eps, minusOther };

  // Where element i keeps its moments, -1 if it keeps none.
  FETTLE_FN int64_t momentOf(const fettle_call& call, const int32_t* places, int64_t i) {
    const int64_t width = call.integer[columns];
    switch (call.integer[selection]) {
      case byColumn: {
        const int64_t at = places[i % width];
        return at < 0 ? -1 : i / width * call.integer[selected] + at;
      }
      case byRow: {
        const int64_t at = places[i / width];
        return at < 0 ? -1 : at * width + i % width;
      }
      case byElement: return places[i];
      default: return -1;
    }
  }

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    float* p = arrayOf<float>(call, parameter);
    const float* g = arrayOf<float>(call, gradient);
    float* m = arrayOf<float>(call, first);
    float* v = arrayOf<float>(call, second);
    const int32_t* places = arrayOf<int32_t>(call, place);
    float c[8];
    for (int k = 0; k < 8; k++) c[k] = float(call.number[k]);
    const int64_t kind = call.integer[rule];
    const int64_t start = unit * FETTLE_CHUNK;
    const int64_t end = start + FETTLE_CHUNK < call.integer[elements] ? start + FETTLE_CHUNK : call.integer[elements];
    for (int64_t i = start; i < end; i++) {
      const int64_t at = momentOf(call, places, i);
      const float old = p[i] * c[decay];
      if (at >= 0) {
        m[at] = movingAverage(m[at], g[i], c[beta1], c[oneMinusBeta1]);
        v[at] = movingAverage(v[at], g[i] * g[i], c[beta2], c[oneMinusBeta2]);
        p[i] = fma(c[minusStepSize], m[at] / (root(v[at]) + c[eps]), old);
      } else {
        p[i] = kind == none ? old : fma(c[minusOther], kind == signs ? sign(g[i]) : g[i], old);
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
