// Adam and AdamW, with PyTorch's AMSGrad; Adam's eps-hat form; AMSGrad as in the paper.
//
//   coupled (Adam): g <- g + wd * p     decoupled (AdamW): p <- p * (1 - lr * wd)
//   m <- beta1 * m + (1 - beta1) * g ;  v <- beta2 * v + (1 - beta2) * g * g ;  amsgrad: w = vmax <- max(vmax, v), else w = v
//   p <- p - (lr / c1) * m / (sqrt(w) / sqrt(c2) + eps),   c1 = 1 - beta1^t, c2 = 1 - beta2^t
//   eps-hat: p <- p - (lr * sqrt(c2) / c1) * m / (sqrt(v) + eps)     paper's AMSGrad: p <- p - lr * m / (sqrt(vmax) + eps)
//
// Source: arXiv:1412.6980 (eps-hat: end of section 2), arXiv:1711.05101, arXiv:1904.09237 (Algorithm 2); torch.optim.Adam, AdamW.
// States m, v (, vmax). The first form's quotient is multiplied through by sqrt(c2): stepSize * m / (sqrt(w) + scaledEps) with
// stepSize = lr * sqrt(c2) / c1 and scaledEps = eps * sqrt(c2) has one division less and the same value. All forms differ
// in these two coefficients only.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct AdamHyper {
  enum { lr, beta1, beta2, eps, weightDecay };
};

template <bool decoupled, bool amsgrad>
struct Adam : RuleDefaults, AdamHyper {
  static constexpr int states = amsgrad ? 3 : 2;

  struct Coefficients {
    Moments moments;
    float minusStepSize, eps, decay;
  };

  FETTLE_FN Coefficients with(const StepContext& step, double stepSize, double denominatorEps) {
    const double* h = step.hyper;
    return {Moments::of(h[beta1], h[beta2]), float(-stepSize), float(denominatorEps),
            decoupled ? float(1.0 - h[lr] * h[weightDecay]) : float(h[weightDecay])};
  }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    return with(step, h[lr] * c.rootSecond / c.first, h[eps] * c.rootSecond);
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    if (decoupled) {
      p = p * F(c.decay);
    } else {
      g = withCoupledDecay(g, p, F(c.decay));
    }
    c.moments.update(state[0], state[1], g);
    F second = state[1];
    if (amsgrad) {
      state[states - 1] = larger(state[states - 1], second);
      second = state[states - 1];
    }
    p = fma(F(c.minusStepSize), state[0] / (root(second) + F(c.eps)), p);
  }
};

template <bool decoupled>
struct AdamEpsHat : Adam<decoupled, false> {
  using Base = Adam<decoupled, false>;

  FETTLE_FN typename Base::Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[Base::beta1], h[Base::beta2], step.step);
    return Base::with(step, h[Base::lr] * c.rootSecond / c.first, h[Base::eps]);
  }
};

struct AmsGradPaper : Adam<false, true> {
  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    return with(step, step.hyper[lr], step.hyper[eps]);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
