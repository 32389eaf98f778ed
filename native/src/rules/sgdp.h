// SGDP: momentum SGD with the projection of rules/projection.h.
//
//   b <- momentum * b + (1 - dampening) * g ;  d = g + momentum * b if nesterov, else b ;  project d
//   p <- p * (1 - lr * wd * r / (1 - momentum)) ;  p <- p - lr * d
//
// Source: arXiv:2006.08217; clovaai/AdamP. State momentum b, from 0: the dampening acts on the first gradient too. Without
// nesterov the author's d is the buffer itself, so the stored b is the projected one; we keep that. Scalar wd_factor r (information).
#pragma once

#include "core/rule.h"
#include "rules/projection.h"

namespace fettle {
namespace FETTLE_TIER {

struct SgdP : RuleDefaults {
  static constexpr int states = 1;
  static constexpr int gathers = 1;
  static constexpr int sums = 4;
  static constexpr bool readsAll(int) { return true; }
  static constexpr bool rowwise = true;

  enum { lr, momentum, dampening, eps, weightDecay, delta, wdRatio, nesterov };

  struct Coefficients {
    float share;  // of the row
    float momentum, take, minusLr, decay, tensorShare, byRow, lookAhead;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {0.0f, float(h[momentum]), float(1.0 - h[dampening]), float(-h[lr]), 1.0f, 0.0f, 0.0f,
            h[nesterov] != 0.0 ? 1.0f : 0.0f};
  }

  template <class F>
  FETTLE_FN F direction(const Coefficients& c, F g, F* state) {
    state[0] = movingAverage(state[0], g, F(c.momentum), F(c.take));
    return select(F(c.lookAhead) > F(0.0f), fma(F(c.momentum), state[0], g), state[0]);
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F p, F g, F* state, Terms<F>& terms) {
    terms.a[Projection::gradientParameter] = g;
    terms.b[Projection::gradientParameter] = p;
    terms.a[Projection::gradientSquare] = terms.b[Projection::gradientSquare] = g;
    terms.a[Projection::parameterSquare] = terms.b[Projection::parameterSquare] = p;
    terms.a[Projection::parameterDirection] = p;
    terms.b[Projection::parameterDirection] = direction(c, g, state);
  }

  FETTLE_FN double score(const StepContext& step, const double* sums) {
    return Projection::cosine(sums, step.hyper[eps]);
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double* h = step.hyper;
    const int level = Projection::levelOf(step, sums, h[delta], h[eps]);
    const double ratio = level == 0 ? 1.0 : h[wdRatio];
    step.scalars[0] = ratio;
    c.byRow = level == 2 ? 1.0f : 0.0f;
    c.tensorShare = level == 1 ? float(Projection::share(sums, h[eps])) : 0.0f;
    c.decay = float(1.0 - h[lr] * h[weightDecay] * ratio / (1.0 - h[momentum]));
  }

  FETTLE_FN void row(int, const StepContext& step, const Coefficients& c, const Row& row) {
    row.coefficients[0] = c.byRow > 0.0f ? float(Projection::share(row.sums, step.hyper[eps])) : c.tensorShare;
  }

  FETTLE_FN void enter(const float* row, Coefficients& c) { c.share = row[0]; }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F d = fma(-F(c.share), p, direction(c, g, state));
    state[0] = select(F(c.lookAhead) > F(0.0f), state[0], d);
    p = fma(F(c.minusLr), d, p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
