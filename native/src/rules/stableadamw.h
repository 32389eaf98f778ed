// StableAdamW: AdamW whose step shrinks with the root mean square of what Adam did not expect.
//
//   h1 = beta1 * (1 - beta1^(t-1)) / (1 - beta1^t), h2 likewise ;  m <- ema(m, g, h1) ;  v <- ema(v, g * g, h2)
//   R = sqrt(mean(g * g / max(v, eps^2))), per tensor, with the new v
//   p <- p * (1 - lr * wd) ;  p <- p - (lr / max(1, R / clipThreshold)) * m / (sqrt(v) + eps)
//
// Source: arXiv:2304.13013, the authors' unfused reference. States m_hat, v_hat (already corrected: not to be loaded into AdamW);
// scalar rms (information). The decay uses the unclipped lr.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct StableAdamW : RuleDefaults {
  static constexpr int states = 2;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;

  enum { lr, beta1, beta2, eps, weightDecay, clipThreshold };

  struct Coefficients {
    Moments moments;
    float minusStepSize, eps, squareOfEps, decay;
  };

  FETTLE_FN double debiased(double beta, int64_t step) {
    return beta * (1.0 - power(beta, step - 1)) / (1.0 - power(beta, step));
  }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {Moments::of(debiased(h[beta1], step.step), debiased(h[beta2], step.step)), 0.0f, float(h[eps]),
            float(h[eps] * h[eps]), float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F, F g, F* state, Terms<F>& terms) {
    const F v = movingAverage(state[1], g * g, F(c.moments.beta2), F(c.moments.oneMinusBeta2));
    terms.a[0] = g;
    terms.b[0] = g / larger(v, F(c.squareOfEps));
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double rms = rootOf(sums[0] / step.elements);
    const double excess = rms / step.hyper[clipThreshold];
    step.scalars[0] = rms;
    c.minusStepSize = float(-(step.hyper[lr] / (excess < 1.0 ? 1.0 : excess)));
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    c.moments.update(state[0], state[1], g);
    p = fma(F(c.minusStepSize), state[0] / (root(state[1]) + F(c.eps)), p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
