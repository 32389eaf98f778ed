// AdamP: Adam with the projection of rules/projection.h.
//
//   m <- ema(m, g, beta1) ;  v <- ema(v, g * g, beta2) ;  D = sqrt(v) / sqrt(c2) + eps
//   d = m / D, nesterov: (beta1 * m + (1 - beta1) * g) / D ;  project d
//   p <- p * (1 - lr * wd * r) ;  p <- p - (lr / c1) * d
//
// Source: arXiv:2006.08217; clovaai/AdamP. States m, v; scalar wd_factor r (information). d is formed as
// sqrt(c2) * m / (sqrt(v) + eps * sqrt(c2)).
#pragma once

#include "core/rule.h"
#include "rules/moments.h"
#include "rules/projection.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdamP : RuleDefaults {
  static constexpr int states = 2;
  static constexpr int gathers = 1;
  static constexpr int sums = 4;
  static constexpr bool readsAll(int) { return true; }
  static constexpr bool rowwise = true;

  enum { lr, beta1, beta2, eps, weightDecay, delta, wdRatio, nesterov };

  struct Coefficients {
    float share;  // of the row
    Moments moments;
    float rootCorrection, scaledEps, minusStepSize, decay, tensorShare, byRow, lookAhead;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    return {0.0f, Moments::of(h[beta1], h[beta2]), float(c.rootSecond), float(h[eps] * c.rootSecond),
            float(-(h[lr] / c.first)), 1.0f, 0.0f, 0.0f, h[nesterov] != 0.0 ? 1.0f : 0.0f};
  }

  template <class F>
  FETTLE_FN F direction(const Coefficients& c, F g, F* state) {
    c.moments.update(state[0], state[1], g);
    const F ahead = movingAverage(state[0], g, F(c.moments.beta1), F(c.moments.oneMinusBeta1));
    const F numerator = select(F(c.lookAhead) > F(0.0f), ahead, state[0]);
    return F(c.rootCorrection) * numerator / (root(state[1]) + F(c.scaledEps));
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
    c.decay = float(1.0 - h[lr] * h[weightDecay] * ratio);
  }

  FETTLE_FN void row(int, const StepContext& step, const Coefficients& c, const Row& row) {
    row.coefficients[0] = c.byRow > 0.0f ? float(Projection::share(row.sums, step.hyper[eps])) : c.tensorShare;
  }

  FETTLE_FN void enter(const float* row, Coefficients& c) { c.share = row[0]; }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F d = fma(-F(c.share), p, direction(c, g, state));
    p = fma(F(c.minusStepSize), d, p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
