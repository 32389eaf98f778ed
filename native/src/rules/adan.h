// Adan: Adam with the gradient's change as a second direction.
//
//   clip: g <- g * min(1, maxGradNorm / (G + eps)), G the global norm
//   y = g - h, 0 in the first step ;  h <- g
//   m <- ema(m, g, beta1) ;  d <- ema(d, y, beta2) ;  n <- ema(n, (g + beta2 * y)^2, beta3) ;  D = sqrt(n) / sqrt(c3) + eps
//   p <- p - (lr / c1) * m / D - (lr * beta2 / c2) * d / D ;  noProx: decay first, p * (1 - lr * wd), else last, p / (1 + lr * wd)
//
// Source: arXiv:2208.06677; sail-sg/Adan. States m, diff, n, prev_grad (the clipped gradient). The betas multiply the old state. Both
// quotients share one division, multiplied through by sqrt(c3); the proximal division is a product with its reciprocal.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Adan : RuleDefaults {
  static constexpr int states = 4;
  static constexpr bool needsGradientNorm = true;

  enum { lr, beta1, beta2, beta3, eps, weightDecay, maxGradNorm, noProx };

  struct Coefficients {
    float gradientFactor, changes, beta1, oneMinusBeta1, beta2, oneMinusBeta2, beta3, oneMinusBeta3;
    float momentShare, changeShare, scaledEps, decayBefore, decayBehind;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double root3 = rootOf(1.0 - power(h[beta3], step.step));
    double factor = 1.0;
    if (h[maxGradNorm] > 0.0) {
      factor = h[maxGradNorm] / (step.gradientNorm + h[eps]);
      factor = factor > 1.0 ? 1.0 : factor;
    }
    const bool before = h[noProx] != 0.0;
    return {float(factor),
            step.step == 1 ? 0.0f : 1.0f,
            float(h[beta1]),
            float(1.0 - h[beta1]),
            float(h[beta2]),
            float(1.0 - h[beta2]),
            float(h[beta3]),
            float(1.0 - h[beta3]),
            float(-(h[lr] * root3 / (1.0 - power(h[beta1], step.step)))),
            float(-(h[lr] * h[beta2] * root3 / (1.0 - power(h[beta2], step.step)))),
            float(h[eps] * root3),
            before ? float(1.0 - h[lr] * h[weightDecay]) : 1.0f,
            before ? 1.0f : float(1.0 / (1.0 + h[lr] * h[weightDecay]))};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = g * F(c.gradientFactor);
    const F change = select(F(c.changes) > F(0.0f), g - state[3], F(0.0f));
    state[3] = g;
    state[0] = movingAverage(state[0], g, F(c.beta1), F(c.oneMinusBeta1));
    state[1] = movingAverage(state[1], change, F(c.beta2), F(c.oneMinusBeta2));
    const F ahead = fma(F(c.beta2), change, g);
    state[2] = movingAverage(state[2], ahead * ahead, F(c.beta3), F(c.oneMinusBeta3));
    const F numerator = fma(F(c.momentShare), state[0], F(c.changeShare) * state[1]);
    p = fma(p, F(c.decayBefore), numerator / (root(state[2]) + F(c.scaledEps))) * F(c.decayBehind);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
