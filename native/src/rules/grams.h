// Grams: Adam's magnitude with the gradient's sign.
//
//   p <- p * (1 - lr * wd) ;  m <- ema(m, g, beta1) ;  v <- ema(v, g * g, beta2)
//   p <- p - (lr * sqrt(c2) / c1) * sign(g) * |m| / (sqrt(v) + eps)       without bias correction the factor is lr
//
// Source: arXiv:2412.17107; Gunale0926/Grams. States m, v. sign(0) is 0: an element without gradient does not move.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct Grams : RuleDefaults {
  static constexpr int states = 2;

  enum { lr, beta1, beta2, eps, weightDecay, correctBias };

  struct Coefficients {
    Moments moments;
    float minusStepSize, eps, decay;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    const double stepSize = h[correctBias] != 0.0 ? h[lr] * c.rootSecond / c.first : h[lr];
    return {Moments::of(h[beta1], h[beta2]), float(-stepSize), float(h[eps]), float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    c.moments.update(state[0], state[1], g);
    const F direction = sign(g) * absolute(state[0]) / (root(state[1]) + F(c.eps));
    p = fma(F(c.minusStepSize), direction, p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
