// AdamW on bf16 parameters with Kahan's compensation: the parameter's lost part is a state.
//
//   h = (beta^t - beta) / (beta^t - 1) in place of bias corrections
//   p <- p * (1 - lr * wd) ;  m <- m + (1 - h1) * (g - m) ;  v <- h2 * v + (1 - h2) * g * g
//   k <- k - lr * m / (sqrt(v) + eps) ;  p' <- bf16(p + k) ;  k <- k + (p - p')
//
// Source: repository warner-benjamin/optimi (adam.py). The literal form rounds to bf16 after every operation, as that
// program does; the fused form computes p + k, m and v in f32 and rounds each once. States m, v, kahan hold bf16 values
// in any format.
#pragma once

#include "core/formats.h"
#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

template <bool literal>
struct KahanAdamW : RuleDefaults {
  static constexpr int states = 3;
  enum { lr, beta1, beta2, eps, weightDecay };

  struct Coefficients {
    float take1, keep2, take2, minusLr, eps, decay;
  };

  FETTLE_FN double debiased(double beta, int64_t step) {
    const double raised = power(beta, step);
    return (raised - beta) / (raised - 1.0);
  }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const double h1 = debiased(h[beta1], step.step);
    const double h2 = debiased(h[beta2], step.step);
    return {float(1.0 - h1), float(h2),     float(1.0 - h2),
            float(-h[lr]),   float(h[eps]), float(1.0 - h[lr] * h[weightDecay])};
  }

  template <class F>
  FETTLE_FN F rounded(F x) {
    return literal ? toBf16(x) : x;
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F old = literal ? rounded(p * F(c.decay)) : (p + state[2]) * F(c.decay);
    const F m = rounded(fma(F(c.take1), g - state[0], state[0]));
    const F v = rounded(fma(F(c.take2) * g, g, rounded(state[1] * F(c.keep2))));
    const F denominator = rounded(rounded(root(v)) + F(c.eps));
    state[0] = literal ? m : toBf16(m);
    state[1] = literal ? v : toBf16(v);
    if (literal) {
      const F k = rounded(fma(F(c.minusLr), m / denominator, state[2]));
      p = toBf16(old + k);
      state[2] = toBf16(k + toBf16(old - p));
    } else {
      const F next = fma(F(c.minusLr), m / denominator, old);
      p = toBf16(next);
      state[2] = toBf16(next - p);
    }
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
