// Weight normalisation along one axis, which is kept; the norm runs over all others.
//
//   forward:  w = gamma * v / |v|
//   backward: dgamma = <dw, v> / |v| ;  dv = gamma / |v| * (dw - dgamma * v / |v|)     frozen: dv = gamma / |v| * dw
//
// A unit is an index of the axis. Where |v| is 0, w, dgamma and dv are 0. gamma may be absent, for 1.
// Source: arXiv:1602.07868; arXiv:2409.03424.
#pragma once

#include "core/numeric.h"
#include "kernels/kernel.h"
#include "kernels/steps/row_sum.h"

namespace fettle {
namespace FETTLE_TIER {

struct AxisNorm {
  enum Array { direction, magnitude, gradient, output, magnitudeGradient, norms };
  enum Integer { outer, axis, inner, mode };
  enum Mode { forward, backward, frozen };

  FETTLE_FN void unit(const fettle_call& call, int64_t unit) {
    const float* v = arrayOf<float>(call, direction);
    const float* gamma = arrayOf<float>(call, magnitude);
    const float* dw = arrayOf<float>(call, gradient);
    float* to = arrayOf<float>(call, output);
    const int64_t run = call.integer[inner];
    const int64_t step = call.integer[axis] * run;
    RowSum squares;
    RowSum products;
    for (int64_t o = 0; o < call.integer[outer]; o++) {
      const int64_t at = o * step + unit * run;
      for (int64_t i = at; i < at + run; i++) {
        squares.add(double(v[i]) * double(v[i]));
        if (dw) products.add(double(dw[i]) * double(v[i]));
      }
    }
    const double norm = rootOf(squares.finish());
    const double along = products.finish();
    arrayOf<double>(call, norms)[unit] = norm;
    const bool zero = norm == 0.0;
    const double size = gamma ? double(gamma[unit]) : 1.0;
    const int64_t kind = call.integer[mode];
    // One element alone has no direction that could change: its gradient is 0, which rounding would miss.
    const bool fixed = kind == backward && call.integer[outer] * run == 1;
    const float factor = zero || fixed ? 0.0f : float(size / norm);
    const float share = zero || kind != backward ? 0.0f : float(along / norm / norm);
    if (kind != forward && arrayOf<float>(call, magnitudeGradient)) {
      arrayOf<float>(call, magnitudeGradient)[unit] = zero ? 0.0f : float(along / norm);
    }
    for (int64_t o = 0; o < call.integer[outer]; o++) {
      const int64_t at = o * step + unit * run;
      for (int64_t i = at; i < at + run; i++) {
        const float value = kind == forward ? v[i] : kind == backward ? fma(-share, v[i], dw[i]) : dw[i];
        to[i] = zero ? 0.0f : factor * value;
      }
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
