// Gravity: a moving average of gradients that are damped where they are large.
//
//   bt = (beta * t + 1) / (t + 2) ;  M = max over the tensor of |g| ;  z = g / (1 + (g * M)^2)
//   V <- bt * V + (1 - bt) * z ;  p <- p - lr * V
//
// Source: arXiv:2101.09192; dariush-bahrami/gravity.optimizer, PyTorch file (t = 1 first). State v, which the author starts at random with
// standard deviation alpha / lr; scalar beta_t (information). (g * M)^2 may overflow: z is then 0, its limit.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Gravity : RuleDefaults {
  static constexpr int states = 1;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;
  static constexpr bool maximum = true;

  enum { lr, alpha, beta };

  struct Coefficients {
    float keep, take, largest, minusLr;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double t = double(step.step);
    const double rate = (h[beta] * t + 1.0) / (t + 2.0);
    step.scalars[0] = rate;
    return {float(rate), float(1.0 - rate), 0.0f, float(-h[lr])};
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients&, F, F g, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = absolute(g);
  }

  FETTLE_FN void combine(int, const StepContext&, const double* sums, Coefficients& c) { c.largest = float(sums[0]); }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F scaled = g * F(c.largest);
    const F damped = g / fma(scaled, scaled, F(1.0f));
    state[0] = movingAverage(state[0], damped, F(c.keep), F(c.take));
    p = fma(F(c.minusLr), state[0], p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
