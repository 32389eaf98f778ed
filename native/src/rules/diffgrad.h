// diffGrad: Adam slowed down where the gradient hardly changes.
//
//   g <- g + wd * p ;  m <- ema(m, g, beta1) ;  v <- ema(v, g * g, beta2)
//   x = 1 / (1 + exp(-|h - g|)) ;  h <- g ;  p <- p - (lr * sqrt(c2) / c1) * (m * x) / (sqrt(v) + eps)
//
// Source: arXiv:1909.11015; shivram1987/diffGrad, diffGrad_v2. States m, v, prev_grad (h, with the coupled decay). eps-hat form.
#pragma once

#include "core/math.h"
#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct DiffGrad : RuleDefaults {
  static constexpr int states = 3;

  enum { lr, beta1, beta2, eps, weightDecay };

  struct Coefficients {
    Moments moments;
    float weightDecay, minusStepSize, eps;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    return {Moments::of(h[beta1], h[beta2]), float(h[weightDecay]), float(-(h[lr] * c.rootSecond / c.first)),
            float(h[eps])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = withCoupledDecay(g, p, F(c.weightDecay));
    c.moments.update(state[0], state[1], g);
    const F friction = F(1.0f) / (F(1.0f) + expNegative(-absolute(state[2] - g)));
    state[2] = g;
    p = fma(F(c.minusStepSize), state[0] * friction / (root(state[1]) + F(c.eps)), p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
