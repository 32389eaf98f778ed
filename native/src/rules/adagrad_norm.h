// AdaGrad-Norm: one accumulator of squares per tensor, or one per row.
//
//   B <- B + |g|^2 ;  momentum: b <- momentum * b + (1 - momentum) * g ;  d = b, or g without momentum
//   p <- p - lr * d / (sqrt(B) + eps), with the new B
//
// Source: arXiv:1806.01811; xwuShirley/pytorch (its weight decay has no effect and is left out). State momentum if there is one;
// scalar b2 (B) of a tensor, or one double per row.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

template <bool byRow, bool withMomentum>
struct AdaGradNorm : RuleDefaults {
  static constexpr int states = withMomentum ? 1 : 0;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;
  static constexpr bool rowwise = byRow;

  enum { lr, momentum, eps };

  struct Coefficients {
    float minusStepSize;  // of the row, where there are rows
    float momentum, take;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {0.0f, float(h[momentum]), float(1.0 - h[momentum])};
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients&, F, F g, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = g;
  }

  FETTLE_FN float stepOf(const double* h, double accumulated) {
    return float(-(h[lr] / (rootOf(accumulated) + h[eps])));
  }

  FETTLE_FN double score(const StepContext&, const double*) { return 0.0; }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    if (byRow) return;
    step.scalars[0] = step.scalars[0] + sums[0];
    c.minusStepSize = stepOf(step.hyper, step.scalars[0]);
  }

  FETTLE_FN void row(int, const StepContext& step, const Coefficients&, const Row& row) {
    *row.state = *row.state + row.sums[0];
    row.coefficients[0] = stepOf(step.hyper, *row.state);
  }

  FETTLE_FN void enter(const float* row, Coefficients& c) { c.minusStepSize = row[0]; }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    if (withMomentum) {
      state[0] = movingAverage(state[0], g, F(c.momentum), F(c.take));
      g = state[0];
    }
    p = fma(F(c.minusStepSize), g, p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
