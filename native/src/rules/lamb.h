// LAMB: Adam's direction, rescaled per tensor to the parameter's norm.
//
//   g <- g / max(1, G / maxGradNorm), G the global norm
//   m <- beta1 * m + (1 - beta1) * g ;  v <- beta2 * v + (1 - beta2) * g * g
//   u = (m / c1) / (sqrt(v / c2) + eps) + wd * p ;  ratio = |p| / |u| if both > 0, else 1 ;  p <- p - lr * ratio * u
//
// Source: arXiv:1904.00962; NVIDIA/apex (reference class and fused kernel). States m, v; scalar trust_ratio (information).
// The ratio is left at 1 where wd = 0 unless useNvlamb, as the fused kernel does.
// The quotient is multiplied through by sqrt(c2), as in adam.h. The gather only reads: the update repeats the
// arithmetic once the norms are known, so that nothing is written before every reduction of the plan is complete.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lamb : RuleDefaults {
  static constexpr int states = 2;
  static constexpr int gathers = 1;
  static constexpr int sums = 2;
  static constexpr bool readsAll(int) { return true; }
  static constexpr bool needsGradientNorm = true;

  enum { lr, beta1, beta2, eps, weightDecay, maxGradNorm, useNvlamb, gradAveraging };

  struct Coefficients {
    float gradientFactor, beta1, oneMinusBeta1, beta2, oneMinusBeta2, scale, scaledEps, weightDecay, minusStepSize,
        lift;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double correction1 = 1.0 - power(h[beta1], step.step);
    const double rootCorrection2 = rootOf(1.0 - power(h[beta2], step.step));
    const double excess = step.gradientNorm / h[maxGradNorm];
    return {float(excess > 1.0 ? 1.0 / excess : (excess == excess ? 1.0 : excess)),
            float(h[beta1]),
            h[gradAveraging] != 0.0 ? float(1.0 - h[beta1]) : 1.0f,
            float(h[beta2]),
            float(1.0 - h[beta2]),
            float(rootCorrection2 / correction1),
            float(h[eps] * rootCorrection2),
            float(h[weightDecay]),
            0.0f,
            1.0f};
  }

  template <class F>
  FETTLE_FN F direction(const Coefficients& c, F p, F g, F* state) {
    g = g * F(c.gradientFactor);
    state[0] = movingAverage(state[0], g, F(c.beta1), F(c.oneMinusBeta1));
    state[1] = movingAverage(state[1], g * g, F(c.beta2), F(c.oneMinusBeta2));
    const F quotient = state[0] / (root(state[1]) + F(c.scaledEps));
    return fma(F(c.weightDecay), p, F(c.scale) * quotient);
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F p, F g, F* state, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = p;
    terms.a[1] = terms.b[1] = direction(c, p, g, state);
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double* h = step.hyper;
    const bool adapt = h[weightDecay] != 0.0 || h[useNvlamb] != 0.0;
    // Only a norm of exactly 0 means 1: a NaN must come out.
    const bool neither = sums[0] == 0.0 || sums[1] == 0.0;
    const bool scaled = adapt && !neither;
    const double ratio = scaled ? rootOf(sums[0]) / rootOf(sums[1]) : 1.0;
    const double up = scaled ? liftOf(rootOf(sums[1])) : 1.0;
    step.scalars[0] = ratio;
    c.minusStepSize = float(-(h[lr] * ratio / up));
    c.lift = float(up);
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F u = direction(c, p, g, state) * F(c.lift);
    p = fma(F(c.minusStepSize), u, p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
