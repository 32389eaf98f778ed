// RMSProp, plain, centered, with momentum, or both.
//
//   g <- g + wd * p ;  v <- alpha * v + (1 - alpha) * g * g
//   centered: a <- alpha * a + (1 - alpha) * g ;  w = max(v - a * a, 0)     else  w = v
//   momentum: b <- momentum * b + g / (sqrt(w) + eps) ;  p <- p - lr * b    else  p <- p - lr * g / (sqrt(w) + eps)
//
// Source: torch.optim.RMSprop; the clamp of w is ours (rounding makes it negative, and PyTorch then yields NaN).
// States v (, a) (, b).
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

template <bool centered, bool withMomentum>
struct RmsProp : RuleDefaults {
  static constexpr int states = 1 + (centered ? 1 : 0) + (withMomentum ? 1 : 0);

  enum { lr, alpha, eps, weightDecay, momentum };

  struct Coefficients {
    float weightDecay, alpha, oneMinusAlpha, eps, momentum, minusLr;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[weightDecay]), float(h[alpha]),    float(1.0 - h[alpha]),
            float(h[eps]),         float(h[momentum]), float(-h[lr])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = withCoupledDecay(g, p, F(c.weightDecay));
    state[0] = movingAverage(state[0], g * g, F(c.alpha), F(c.oneMinusAlpha));
    F variance = state[0];
    if (centered) {
      state[1] = movingAverage(state[1], g, F(c.alpha), F(c.oneMinusAlpha));
      variance = larger(fma(-state[1], state[1], variance), F(0.0f));
    }
    F direction = g / (root(variance) + F(c.eps));
    if (withMomentum) {
      direction = fma(F(c.momentum), state[states - 1], direction);
      state[states - 1] = direction;
    }
    p = fma(F(c.minusLr), direction, p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
