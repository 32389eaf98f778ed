// MARS-AdamW: AdamW on a variance-reduced gradient, for matrices; plain AdamW with hyperparameters of its own for other tensors.
//
//   c = g + gamma * (beta1 / (1 - beta1)) * (g - h) ;  h <- g ;  if |c| > 1: c <- c / |c|, per tensor
//   m <- ema(m, c, beta1) ;  v <- ema(v, c * c, beta2) ;  p <- p - lr * (wd * p + m / ((sqrt(v) / sqrt(c2) + eps) * c1))
//   not 2-D and not optimize1d: c = g, lr * (lr1d / baseLr), beta1d, beta2d, wd1d
//
// Source: arXiv:2411.10438; AGI-Arena/MARS, approximate form. States m, v, last_grad h, from 0: the first c is amplified. A schedule
// moves both rates: lr1d is scaled by lr over the rule's own lr.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct Mars : RuleDefaults {
  static constexpr int states = 3;
  static constexpr int gathers = 1;
  static constexpr int sums = 1;

  enum { lr, beta1, beta2, eps, weightDecay, gamma, optimize1d, lr1d, beta11d, beta21d, weightDecay1d, baseLr };

  struct Coefficients {
    Moments moments;
    float change, clip, minusStepSize, scaledEps, decay;
  };

  FETTLE_FN bool reduces(const StepContext& step) { return step.rank == 2 || step.hyper[optimize1d] != 0.0; }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const bool matrix = reduces(step);
    const double b1 = matrix ? h[beta1] : h[beta11d];
    const double b2 = matrix ? h[beta2] : h[beta21d];
    const double rate = matrix ? h[lr] : (h[baseLr] == 0.0 ? h[lr1d] : h[lr] * (h[lr1d] / h[baseLr]));
    const double fade = matrix ? h[weightDecay] : h[weightDecay1d];
    const AdamCorrections c = adamCorrections(b1, b2, step.step);
    return {Moments::of(b1, b2),
            matrix ? float(h[gamma] * (b1 / (1.0 - b1))) : 0.0f,
            1.0f,
            float(-(rate * c.rootSecond / c.first)),
            float(h[eps] * c.rootSecond),
            float(1.0 - rate * fade)};
  }

  template <class F>
  FETTLE_FN F corrected(const Coefficients& c, F g, F last) {
    return select(F(c.change) == F(0.0f), g, fma(F(c.change), g - last, g));
  }

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F, F g, F* state, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = corrected(c, g, state[2]);
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double norm = rootOf(sums[0]);
    c.clip = reduces(step) && !(norm <= 1.0) ? float(1.0 / norm) : 1.0f;
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F reduced = corrected(c, g, state[2]) * F(c.clip);
    state[2] = g;
    c.moments.update(state[0], state[1], reduced);
    p = fma(F(c.minusStepSize), state[0] / (root(state[1]) + F(c.scaledEps)), p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
