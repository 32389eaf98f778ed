// NAdam and NAdamW: Adam with Nesterov's momentum; NadamW as AlgoPerf has it.
//
//   coupled: g <- g + wd * p     decoupled: p <- p * (1 - lr * wd)
//   mu = beta1 * (1 - 0.5 * 0.96^(t * psi)) ;  mu' = the same at t + 1 ;  P <- P * mu
//   m <- ema(m, g, beta1) ;  v <- ema(v, g * g, beta2) ;  D = sqrt(v / c2) + eps
//   p <- p - [lr * (1 - mu) / (1 - P)] * g / D - [lr * mu' / (1 - P * mu')] * m / D
//   AlgoPerf: q = beta1 * m + (1 - beta1) * g, kept nowhere ;  p <- p - (lr / c1) * q / (sqrt(v) / sqrt(c2) + eps)
//
// Source: torch.optim.NAdam (2.x: P * mu' in the last denominator; 1.13's per-tensor path counts mu twice);
// mlcommons/algorithmic-efficiency. States m, v; NAdam's scalar mu_product P, from 1. Both quotients share one division, multiplied
// through by sqrt(c2).
#pragma once

#include "core/math.h"
#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

template <bool decoupled>
struct NAdam : RuleDefaults {
  static constexpr int states = 2;

  enum { lr, beta1, beta2, eps, weightDecay, momentumDecay };

  struct Coefficients {
    Moments moments;
    float gradientShare, momentShare, scaledEps, decay;
  };

  FETTLE_FN double momentumAt(const double* h, int64_t step) {
    return h[beta1] * (1.0 - 0.5 * powerOf(0.96, double(step) * h[momentumDecay]));
  }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double root2 = rootOf(1.0 - power(h[beta2], step.step));
    const double now = momentumAt(h, step.step);
    const double next = momentumAt(h, step.step + 1);
    const double product = step.scalars[0] * now;
    step.scalars[0] = product;
    return {Moments::of(h[beta1], h[beta2]), float(-(h[lr] * (1.0 - now) / (1.0 - product) * root2)),
            float(-(h[lr] * next / (1.0 - product * next) * root2)), float(h[eps] * root2),
            decoupled ? float(1.0 - h[lr] * h[weightDecay]) : float(h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    if (decoupled) {
      p = p * F(c.decay);
    } else {
      g = withCoupledDecay(g, p, F(c.decay));
    }
    c.moments.update(state[0], state[1], g);
    const F numerator = fma(F(c.gradientShare), g, F(c.momentShare) * state[0]);
    p = p + numerator / (root(state[1]) + F(c.scaledEps));
  }
};

struct NadamWAlgoPerf : RuleDefaults {
  static constexpr int states = 2;

  enum { lr, beta1, beta2, eps, weightDecay };

  struct Coefficients {
    Moments moments;
    float minusStepSize, scaledEps, decay;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    return {Moments::of(h[beta1], h[beta2]), float(-(h[lr] * c.rootSecond / c.first)), float(h[eps] * c.rootSecond),
            float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    c.moments.update(state[0], state[1], g);
    const F ahead = movingAverage(state[0], g, F(c.moments.beta1), F(c.moments.oneMinusBeta1));
    p = fma(F(c.minusStepSize), ahead / (root(state[1]) + F(c.scaledEps)), p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
