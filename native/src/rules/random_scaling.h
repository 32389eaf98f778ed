// Momentum SGD whose step is scaled by one exponential random number, shared by all tensors and elements.
//
//   o2nc: Delta <- (Delta - lr * g) * beta / (1 + lr * mu) ;  p <- p + s * Delta
//   wrap: b <- momentum * b + (1 - dampening) * g ;  p <- p - (lr * s) * b
//
// Source: arXiv:2405.09742; ZQZCalin/trainit. State delta or momentum, from 0: the dampening acts on the first gradient too. The
// stored state is never scaled. s is an input of every step.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct RandomScalingO2nc : RuleDefaults {
  static constexpr int states = 1;

  enum { lr, beta, mu, scale };

  struct Coefficients {
    float minusLr, shrink, scale;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(-h[lr]), float(h[beta] / (1.0 + h[lr] * h[mu])), float(h[scale])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = fma(F(c.minusLr), g, state[0]) * F(c.shrink);
    p = fma(F(c.scale), state[0], p);
  }
};

struct RandomScalingWrap : RuleDefaults {
  static constexpr int states = 1;

  enum { lr, momentum, dampening, scale };

  struct Coefficients {
    float momentum, take, minusStepSize;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[momentum]), float(1.0 - h[dampening]), float(-(h[lr] * h[scale]))};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = movingAverage(state[0], g, F(c.momentum), F(c.take));
    p = fma(F(c.minusStepSize), state[0], p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
