// Lion.
//
//   p <- p * (1 - lr * wd) ;  p <- p - lr * sign(beta1 * m + (1 - beta1) * g) ;  m <- beta2 * m + (1 - beta2) * g
//
// Source: arXiv:2302.06675; google/automl. State m. The sign reads the old m. Its argument is two rounded products and
// one rounded sum, not an fma: another rounding could flip the sign where the sum cancels.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lion : RuleDefaults {
  static constexpr int states = 1;

  enum { lr, beta1, beta2, weightDecay };

  struct Coefficients {
    float beta1, oneMinusBeta1, beta2, oneMinusBeta2, minusLr, decay;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[beta1]),       float(1.0 - h[beta1]), float(h[beta2]),
            float(1.0 - h[beta2]), float(-h[lr]),         float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F kept = F(c.beta1) * state[0];
    const F taken = F(c.oneMinusBeta1) * g;
    p = fma(F(c.minusLr), sign(kept + taken), p * F(c.decay));
    state[0] = movingAverage(state[0], g, F(c.beta2), F(c.oneMinusBeta2));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
