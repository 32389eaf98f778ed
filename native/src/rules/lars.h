// LARS and LARC: momentum SGD on a gradient rescaled per tensor to the parameter's norm.
//
//   if |p| != 0 and |g| != 0: q = trust * |p| / (|g| + wd * |p| + eps), LARC: q <- min(q / lr, 1) ;  g <- q * (g + wd * p)
//   then momentum SGD: first step b <- g, later b <- momentum * b + g ;  p <- p - lr * b
//
// Source: arXiv:1708.03888; NVIDIA/apex LARC. State momentum, none where it is 0. If a norm is 0, the gradient is used as it is and the
// decay left out.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lars : RuleDefaults {
  static constexpr int states = 1;
  static constexpr int gathers = 1;
  static constexpr int sums = 2;

  enum { lr, momentum, weightDecay, trustCoefficient, eps, clip };

  struct Coefficients {
    float gradientShare, parameterShare, momentum, minusLr;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {1.0f, 0.0f, step.step == 1 ? 0.0f : float(h[momentum]), float(-h[lr])};
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients&, F p, F g, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = p;
    terms.a[1] = terms.b[1] = g;
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double* h = step.hyper;
    if (sums[0] == 0.0 || sums[1] == 0.0) return;
    const double parameterNorm = rootOf(sums[0]);
    double q = h[trustCoefficient] * parameterNorm / (rootOf(sums[1]) + h[weightDecay] * parameterNorm + h[eps]);
    if (h[clip] != 0.0) {
      q = q / h[lr];
      q = q > 1.0 ? 1.0 : q;
    }
    c.gradientShare = float(q);
    c.parameterShare = float(q * h[weightDecay]);
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = withCoupledDecay(F(c.gradientShare) * g, p, F(c.parameterShare));
    state[0] = fma(F(c.momentum), state[0], g);
    p = fma(F(c.minusLr), state[0], p);
  }
};

// Without momentum.
struct LarsPlain : Lars {
  static constexpr int states = 0;

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F*) {
    p = fma(F(c.minusLr), withCoupledDecay(F(c.gradientShare) * g, p, F(c.parameterShare)), p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
