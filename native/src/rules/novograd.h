// NovoGrad: one second moment per tensor, in the convention of the reference class and in that of apex's fused kernel.
//
//   reference: n = |g|^2 ;  V <- n if V is 0, else beta2 * V + (1 - beta2) * n
//              g <- g / (sqrt(V) + eps) + wd * p ;  g <- (1 - beta1) * g if averaging ;  m <- beta1 * m + g ;  p <- p - lr * m
//   apex:      N = |g| at first (initZero: 0) ;  N <- sqrt(beta2 * N^2 + (1 - beta2) * |g|^2) ;  D = N / sqrt(c2) + eps
//              outside: m <- beta1 * m + (1 - beta1) * g ;  p <- p - lr * ((m / c1) / D + wd * p)
//              inside:  m <- beta1 * m + (1 - beta1) * (g / D + wd * p) ;  p <- p - lr * m / c1
//
// Source: arXiv:1905.11286; NVIDIA/apex, OpenSeq2Seq. State m; scalar v (V) or norm (N), in double. Without averaging
// 1 - beta1 is replaced by 1; without bias correction c1 and c2 are 1.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct NovoGradBase : RuleDefaults {
  static constexpr int states = 1;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;

  struct Coefficients {
    float beta1, gradientShare, parameterShare, minusStepSize, decay;
  };

  template <class F>
  FETTLE_FN void gather(int, const Coefficients&, F, F g, F*, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = g;
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F taken = withCoupledDecay(F(c.gradientShare) * g, p, F(c.parameterShare));
    state[0] = fma(F(c.beta1), state[0], taken);
    p = fma(F(c.minusStepSize), state[0], p * F(c.decay));
  }
};

struct NovoGrad : NovoGradBase {
  enum { lr, beta1, beta2, eps, weightDecay, gradAveraging };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    return {float(step.hyper[beta1]), 0.0f, 0.0f, float(-step.hyper[lr]), 1.0f};
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double* h = step.hyper;
    const double old = step.scalars[0];
    const double second = old == 0.0 ? sums[0] : h[beta2] * old + (1.0 - h[beta2]) * sums[0];
    const double take = h[gradAveraging] != 0.0 ? 1.0 - h[beta1] : 1.0;
    step.scalars[0] = second;
    c.gradientShare = float(take / (rootOf(second) + h[eps]));
    c.parameterShare = float(take * h[weightDecay]);
  }
};

struct NovoGradApex : NovoGradBase {
  enum { lr, beta1, beta2, eps, weightDecay, gradAveraging, initZero, regInsideMoment, biasCorrection };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    return {float(step.hyper[beta1]), 0.0f, 0.0f, 0.0f, 1.0f};
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double* h = step.hyper;
    const bool fresh = step.step == 1 && h[initZero] == 0.0;
    const double square = fresh ? sums[0] : step.scalars[0] * step.scalars[0];
    const double norm = rootOf(h[beta2] * square + (1.0 - h[beta2]) * sums[0]);
    step.scalars[0] = norm;
    const bool corrects = h[biasCorrection] != 0.0;
    const double correction1 = corrects ? 1.0 - power(h[beta1], step.step) : 1.0;
    const double rootCorrection2 = corrects ? rootOf(1.0 - power(h[beta2], step.step)) : 1.0;
    const double denominator = norm / rootCorrection2 + h[eps];
    const double take = h[gradAveraging] != 0.0 ? 1.0 - h[beta1] : 1.0;
    if (h[regInsideMoment] != 0.0) {
      c.gradientShare = float(take / denominator);
      c.parameterShare = float(take * h[weightDecay]);
      c.minusStepSize = float(-(h[lr] / correction1));
    } else {
      c.gradientShare = float(take);
      c.minusStepSize = float(-(h[lr] / correction1 / denominator));
      c.decay = float(1.0 - h[lr] * h[weightDecay]);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
