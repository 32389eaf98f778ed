// SGD, with momentum, dampening, Nesterov, coupled or decoupled weight decay.
//
//   coupled: g <- g + wd * p     decoupled (SGDW): p <- p * (1 - lr * wd)
//   first step: b <- g ;  later: b <- momentum * b + (1 - dampening) * g
//   d = g + momentum * b if nesterov, else b (g itself without momentum) ;  p <- p - lr * d
//
// Source: torch.optim.SGD; SGDW arXiv:1711.05101, Algorithm 1, in the lr-scaled form. State b, none without momentum.
// The first gradient enters b undampened: its coefficients are 0 and 1 at t = 1.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct SgdHyper {
  enum { lr, momentum, dampening, nesterov, weightDecay, decoupled };
};

struct Sgd : RuleDefaults, SgdHyper {
  static constexpr int states = 0;

  struct Coefficients {
    float coupledDecay, decay, minusLr;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const bool apart = h[decoupled] != 0.0;
    return {apart ? 0.0f : float(h[weightDecay]), apart ? float(1.0 - h[lr] * h[weightDecay]) : 1.0f, float(-h[lr])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F*) {
    g = withCoupledDecay(g, p, F(c.coupledDecay));
    p = fma(F(c.minusLr), g, p * F(c.decay));
  }
};

struct SgdMomentum : RuleDefaults, SgdHyper {
  static constexpr int states = 1;

  struct Coefficients {
    float coupledDecay, decay, minusLr, momentum, take, lookAhead;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const bool apart = h[decoupled] != 0.0;
    const bool first = step.step == 1;
    return {apart ? 0.0f : float(h[weightDecay]),
            apart ? float(1.0 - h[lr] * h[weightDecay]) : 1.0f,
            float(-h[lr]),
            first ? 0.0f : float(h[momentum]),
            first ? 1.0f : float(1.0 - h[dampening]),
            h[nesterov] != 0.0 ? float(h[momentum]) : 0.0f};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    g = withCoupledDecay(g, p, F(c.coupledDecay));
    state[0] = movingAverage(state[0], g, F(c.momentum), F(c.take));
    const F ahead = F(c.lookAhead);
    const F direction = select(ahead == F(0.0f), state[0], fma(ahead, state[0], g));
    p = fma(F(c.minusLr), direction, p * F(c.decay));
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
