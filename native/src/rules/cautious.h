// Cautious AdamW and Cautious Lion: only the elements move whose update agrees with the gradient.
//
//   AdamW: p <- p * (1 - lr * wd) ;  m, v as Adam ;  k = (m * g > 0) ;  z = max(sum(k) / n, 1e-3)
//          p <- p - (lr * sqrt(c2) / c1) * (m * k / z) / (sqrt(v) + eps)        without bias correction the factor is lr
//   Lion:  u = sign(beta1 * m + (1 - beta1) * g) ;  k = (u * g > 0)
//          p <- p * (1 - lr * wd) - lr * u * k * n / (sum(k) + 1) ;  m <- ema(m, g, beta2)
//
// Source: arXiv:2411.16085; kyleliang919/C-Optim (its multi-tensor mask of m * m is an error of that file). States m, v or m.
// AdamW's scalar kept is sum(k) / n (information). The test compares the rounded float product with 0; a NaN stays NaN.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

// 1 where the product is positive, 0 elsewhere, NaN where it is NaN.
template <class F>
FETTLE_FN F agreement(F product) {
  return select(product > F(0.0f), F(1.0f), select(product == product, F(0.0f), product));
}

struct CautiousAdamW : RuleDefaults {
  static constexpr int states = 2;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;

  enum { lr, beta1, beta2, eps, weightDecay, correctBias };

  struct Coefficients {
    Moments moments;
    float minusStepSize, eps, decay;
  };

  FETTLE_FN double stepSize(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    return h[correctBias] != 0.0 ? h[lr] * c.rootSecond / c.first : h[lr];
  }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {Moments::of(h[beta1], h[beta2]), 0.0f, float(h[eps]), float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F, F g, F* state, Terms<F>& terms) {
    const F m = movingAverage(state[0], g, F(c.moments.beta1), F(c.moments.oneMinusBeta1));
    terms.a[0] = agreement(m * g);
    terms.b[0] = F(1.0f);
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double kept = sums[0] / step.elements;
    step.scalars[0] = kept;
    c.minusStepSize = float(-(stepSize(step) / (kept < 1e-3 ? 1e-3 : kept)));
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    c.moments.update(state[0], state[1], g);
    const F direction = state[0] * agreement(state[0] * g) / (root(state[1]) + F(c.eps));
    p = fma(F(c.minusStepSize), direction, p * F(c.decay));
  }
};

struct CautiousLion : RuleDefaults {
  static constexpr int states = 1;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;

  enum { lr, beta1, beta2, weightDecay };

  struct Coefficients {
    float beta1, oneMinusBeta1, beta2, oneMinusBeta2, minusLr, decay;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[beta1]), float(1.0 - h[beta1]), float(h[beta2]), float(1.0 - h[beta2]), 0.0f,
            float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN F direction(const Coefficients& c, F m, F g) {
    const F kept = F(c.beta1) * m;
    const F taken = F(c.oneMinusBeta1) * g;
    return sign(kept + taken);
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F, F g, F* state, Terms<F>& terms) {
    terms.a[0] = agreement(direction(c, state[0], g) * g);
    terms.b[0] = F(1.0f);
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    c.minusLr = float(-(step.hyper[lr] * (step.elements / (sums[0] + 1.0))));
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F u = direction(c, state[0], g);
    p = fma(F(c.minusLr), u * agreement(u * g), p * F(c.decay));
    state[0] = movingAverage(state[0], g, F(c.beta2), F(c.oneMinusBeta2));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
