// AdaBelief: the second moment of what the first did not expect.
//
//   decoupled: p <- p * (1 - lr * wd), fixed decay: p * (1 - wd)     coupled: g <- g + wd * p
//   m <- ema(m, g, beta1) ;  e = g - m ;  s <- ema(s, e * e, beta2) + eps ;  amsgrad: smax <- max(smax, s)
//   plain: p <- p - (lr / c1) * m / (sqrt(w) / sqrt(c2) + eps), w = smax or s
//   rectified: rinf = 2 / (1 - beta2) - 1 ;  r = rinf - 2 * t * beta2^t / c2
//     r >= 5: p <- p - lr * k * m / (sqrt(s) + eps), k = sqrt(c2 * (r-4)(r-2) rinf / ((rinf-4)(rinf-2) r)) / c1
//     r < 5:  p <- p - (lr / c1) * m where it degenerates to SGD, else p stays
//
// Source: juntang-zhuang/Adabelief-Optimizer 0.2.1; arXiv:2010.07468. States m, s (, smax). eps is stored in s in every step,
// and stands outside the root once more. The rectified branch does not read smax, as in the author's program.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

template <bool amsgrad>
struct AdaBelief : RuleDefaults {
  static constexpr int states = amsgrad ? 3 : 2;

  enum { lr, beta1, beta2, eps, weightDecay, decoupled, fixedDecay, rectify, degenerateToSgd };

  struct Coefficients {
    Moments moments;
    float coupledDecay, decay, storedEps, minusStepSize, outerEps, adaptive, readsMaximum;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double t = double(step.step);
    const double rest = power(h[beta2], step.step);
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    double stepSize = h[lr] * c.rootSecond / c.first;
    double outer = h[eps] * c.rootSecond;
    bool adapts = true;
    if (h[rectify] != 0.0) {
      const double limit = 2.0 / (1.0 - h[beta2]) - 1.0;
      const double length = limit - 2.0 * t * rest / c.second;
      adapts = length >= 5.0;
      if (adapts) {
        const double ratio = (length - 4.0) * (length - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * length);
        stepSize = h[lr] * (rootOf(c.second * ratio) / c.first);
        outer = h[eps];
      } else {
        stepSize = h[degenerateToSgd] != 0.0 ? h[lr] / c.first : 0.0;
      }
    }
    const bool apart = h[decoupled] != 0.0;
    const double shrink = h[fixedDecay] != 0.0 ? h[weightDecay] : h[lr] * h[weightDecay];
    return {Moments::of(h[beta1], h[beta2]),
            apart ? 0.0f : float(h[weightDecay]),
            apart ? float(1.0 - shrink) : 1.0f,
            float(h[eps]),
            float(-stepSize),
            float(outer),
            adapts ? 1.0f : 0.0f,
            amsgrad && h[rectify] == 0.0 ? 1.0f : 0.0f};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    p = p * F(c.decay);
    g = withCoupledDecay(g, p, F(c.coupledDecay));
    state[0] = movingAverage(state[0], g, F(c.moments.beta1), F(c.moments.oneMinusBeta1));
    const F surprise = g - state[0];
    state[1] = movingAverage(state[1], surprise * surprise, F(c.moments.beta2), F(c.moments.oneMinusBeta2));
    state[1] = state[1] + F(c.storedEps);
    F second = state[1];
    if (amsgrad) {
      state[states - 1] = larger(state[states - 1], second);
      second = select(F(c.readsMaximum) > F(0.0f), state[states - 1], second);
    }
    const F adapted = state[0] / (root(second) + F(c.outerEps));
    p = fma(F(c.minusStepSize), select(F(c.adaptive) > F(0.0f), adapted, state[0]), p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
