// Delayed Nesterov: the outer step of asynchronous local SGD, for one arriving pseudo-gradient g.
//
//   D <- D + g / N
//   every N-th arrival: m <- beta * m + D ;  p <- p - lr * ((1 - c * N + c) * beta * m + g / N) ;  D <- 0
//   otherwise:          p <- p - lr * (c * beta * m + g / N)
//
// Source: arXiv:2401.09135; utnslab/halos. States momentum m, buffer D. N = 1 is plain Nesterov.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct DelayedNesterov : RuleDefaults {
  static constexpr int states = 2;

  enum { lr, beta, arrivals, share };

  struct Coefficients {
    float beta, gradientShare, momentumShare, minusLr, milestone;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const bool milestone = step.step % (h[arrivals] >= 1.0 ? int64_t(h[arrivals]) : 1) == 0;
    const double momentumShare = milestone ? 1.0 - h[share] * h[arrivals] + h[share] : h[share];
    return {float(h[beta]), float(1.0 / h[arrivals]), float(momentumShare * h[beta]), float(-h[lr]),
            milestone ? 1.0f : 0.0f};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const auto milestone = F(c.milestone) > F(0.0f);
    g = F(c.gradientShare) * g;
    const F buffer = state[1] + g;
    state[0] = select(milestone, fma(F(c.beta), state[0], buffer), state[0]);
    state[1] = select(milestone, F(0.0f), buffer);
    p = fma(F(c.minusLr), fma(F(c.momentumShare), state[0], g), p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
