// Adam and AdamW, with PyTorch's AMSGrad.
//
//   coupled (Adam): g <- g + wd * p     decoupled (AdamW): p <- p * (1 - lr * wd)
//   m <- beta1 * m + (1 - beta1) * g ;  v <- beta2 * v + (1 - beta2) * g * g ;  amsgrad: w = vmax <- max(vmax, v), else w = v
//   p <- p - (lr / c1) * m / (sqrt(w) / sqrt(c2) + eps),   c1 = 1 - beta1^t, c2 = 1 - beta2^t
//
// Source: arXiv:1412.6980, arXiv:1711.05101, arXiv:1904.09237; torch.optim.Adam, AdamW. States m, v (, vmax).
// The quotient is multiplied through by sqrt(c2): stepSize * m / (sqrt(w) + scaledEps) with
// stepSize = lr * sqrt(c2) / c1 and scaledEps = eps * sqrt(c2) has one division less and the same value.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

template <bool decoupled, bool amsgrad>
struct Adam : RuleDefaults {
  static constexpr int states = amsgrad ? 3 : 2;

  enum { lr, beta1, beta2, eps, weightDecay };

  struct Coefficients {
    float beta1, oneMinusBeta1, beta2, oneMinusBeta2, minusStepSize, scaledEps, decay;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double correction1 = 1.0 - power(h[beta1], step.step);
    const double rootCorrection2 = rootOf(1.0 - power(h[beta2], step.step));
    return {float(h[beta1]),
            float(1.0 - h[beta1]),
            float(h[beta2]),
            float(1.0 - h[beta2]),
            float(-(h[lr] * rootCorrection2 / correction1)),
            float(h[eps] * rootCorrection2),
            decoupled ? float(1.0 - h[lr] * h[weightDecay]) : float(h[weightDecay])};
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    if (decoupled) {
      p = p * F(c.decay);
    } else {
      g = withCoupledDecay(g, p, F(c.decay));
    }
    state[0] = movingAverage(state[0], g, F(c.beta1), F(c.oneMinusBeta1));
    state[1] = movingAverage(state[1], g * g, F(c.beta2), F(c.oneMinusBeta2));
    F second = state[1];
    if (amsgrad) {
      state[states - 1] = larger(state[states - 1], second);
      second = state[states - 1];
    }
    p = fma(F(c.minusStepSize), state[0] / (root(second) + F(c.scaledEps)), p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
