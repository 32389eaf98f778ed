// AdaGrad.
//
//   g <- g + wd * p ;  s <- s + g * g ;  p <- p - (lr / (1 + (t - 1) * lrDecay)) * g / (sqrt(s) + eps)
//
// Source: torch.optim.Adagrad. State s, starting at initialAccumulatorValue.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdaGrad : RuleDefaults {
  static constexpr int states = 1;

  enum { lr, lrDecay, eps, weightDecay };

  struct Coefficients {
    float weightDecay, eps, minusLr;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[weightDecay]), float(h[eps]), float(-(h[lr] / (1.0 + double(step.step - 1) * h[lrDecay])))};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = withCoupledDecay(g, p, F(c.weightDecay));
    state[0] = fma(g, g, state[0]);
    p = fma(F(c.minusLr), g / (root(state[0]) + F(c.eps)), p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
