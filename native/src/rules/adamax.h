// AdaMax: Adam with the infinity norm.
//
//   g <- g + wd * p ;  m <- beta1 * m + (1 - beta1) * g ;  u <- max(beta2 * u, |g| + eps) ;  p <- p - (lr / c1) * m / u
//
// Source: arXiv:1412.6980, section 7; torch.optim.Adamax. States m, u. eps stands inside the maximum, on the new gradient only.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdaMax : RuleDefaults {
  static constexpr int states = 2;

  enum { lr, beta1, beta2, eps, weightDecay };

  struct Coefficients {
    float weightDecay, beta1, oneMinusBeta1, beta2, eps, minusStepSize;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[weightDecay]), float(h[beta1]), float(1.0 - h[beta1]),
            float(h[beta2]),       float(h[eps]),   float(-(h[lr] / (1.0 - power(h[beta1], step.step))))};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = withCoupledDecay(g, p, F(c.weightDecay));
    state[0] = movingAverage(state[0], g, F(c.beta1), F(c.oneMinusBeta1));
    state[1] = larger(F(c.beta2) * state[1], absolute(g) + F(c.eps));
    p = fma(F(c.minusStepSize), state[0] / state[1], p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
