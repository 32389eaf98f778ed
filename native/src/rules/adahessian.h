// AdaHessian: Adam with the diagonal of the Hessian in place of the gradient's square.
//
//   m <- ema(m, g, beta1) ;  v <- ema(v, a * a, beta2) ;  a = |diag|
//   p <- p - lr * (m / c1 / ((sqrt(v) / sqrt(c2))^k + eps) + wd * p)
//
// Source: arXiv:2006.00719; amirgholami/adahessian. States diag, m, v. diag is the caller's: H z, averaged over space or blocks
// beforehand (mean of magnitudes, as the published code has it; the paper squares only). The bias correction is inside the power.
#pragma once

#include "core/math.h"
#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdaHessian : RuleDefaults {
  static constexpr int states = 3;

  enum { lr, beta1, beta2, eps, weightDecay, hessianPower };

  struct Coefficients {
    Moments moments;
    float minusStepSize, rootCorrection, eps, decay, power;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    return {Moments::of(h[beta1], h[beta2]), float(-(h[lr] / c.first)), float(1.0 / c.rootSecond), float(h[eps]),
            float(1.0 - h[lr] * h[weightDecay]), float(h[hessianPower])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = absolute(state[0]);
    state[1] = movingAverage(state[1], g, F(c.moments.beta1), F(c.moments.oneMinusBeta1));
    state[2] = movingAverage(state[2], state[0] * state[0], F(c.moments.beta2), F(c.moments.oneMinusBeta2));
    const F base = root(state[2]) * F(c.rootCorrection);
    const F curvature = c.power == 1.0f ? base : powerBelowOne(base, F(c.power));
    p = fma(F(c.minusStepSize), state[1] / (curvature + F(c.eps)), p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
