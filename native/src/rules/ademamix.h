// AdEMAMix: a fast and a slow momentum over Adam's second moment.
//
//   m1 <- ema(m1, g, beta1) ;  m2 <- ema(m2, g, beta3_t) ;  v <- ema(v, g * g, beta2)
//   p <- p - lr * ((m1 / c1 + alpha_t * m2) / (sqrt(v) / sqrt(c2) + eps) + wd * p)
//   alpha_t = alpha * t / alphaWarmup ;  beta3_t = F^-1((1 - t/T) F(beta1) + (t/T) F(beta3)), T = beta3Warmup
//   F(b) = ln(0.5) / ln(b + 1e-8) - 1 ;  F^-1(y) = 0.5^(1 / (y + 1));  behind the warm-ups the end values
//
// Source: arXiv:2409.03137; apple/ml-ademamix, PyTorch file (t = 1 first). States m1, m2, v; scalars alpha_t, beta3_t
// (information). m2 is not bias-corrected.
#pragma once

#include "core/math.h"
#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdEMAMix : RuleDefaults {
  static constexpr int states = 3;

  enum { lr, beta1, beta2, beta3, alpha, eps, weightDecay, alphaWarmup, beta3Warmup };

  struct Coefficients {
    Moments moments;
    float beta3, oneMinusBeta3, minusFast, minusSlow, scaledEps, decay;
  };

  FETTLE_FN double lengthOf(double beta) { return logOf(0.5) / logOf(beta + 1e-8) - 1.0; }

  FETTLE_FN double alphaAt(const double* h, int64_t step) {
    const double t = double(step);
    return t < h[alphaWarmup] ? h[alpha] * t / h[alphaWarmup] : h[alpha];
  }

  FETTLE_FN double beta3At(const double* h, int64_t step) {
    const double t = double(step);
    if (!(t < h[beta3Warmup])) return h[beta3];
    const double part = t / h[beta3Warmup];
    const double length = (1.0 - part) * lengthOf(h[beta1]) + part * lengthOf(h[beta3]);
    return powerOf(0.5, 1.0 / (length + 1.0));
  }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    const double slowShare = alphaAt(h, step.step);
    const double slowBeta = beta3At(h, step.step);
    step.scalars[0] = slowShare;
    step.scalars[1] = slowBeta;
    return {Moments::of(h[beta1], h[beta2]),
            float(slowBeta),
            float(1.0 - slowBeta),
            float(-(h[lr] * c.rootSecond / c.first)),
            float(-(h[lr] * slowShare * c.rootSecond)),
            float(h[eps] * c.rootSecond),
            float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    c.moments.update(state[0], state[2], g);
    state[1] = movingAverage(state[1], g, F(c.beta3), F(c.oneMinusBeta3));
    const F numerator = fma(F(c.minusFast), state[0], F(c.minusSlow) * state[1]);
    p = fma(p, F(c.decay), numerator / (root(state[2]) + F(c.scaledEps)));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
