// Lion-K: Lion with the gradient of another convex function K in place of the sign.
//
//   u = beta1 * m + (1 - beta1) * g ;  p <- p * (1 - lr * wd) - lr * gradK(u) ;  m <- beta2 * m + (1 - beta2) * g
//   huber: clamp(u / e, -1, 1)     relativistic: u / sqrt(u^2 + e^2)     deadzone: sign(u) where |u| > e, else 0
//   l2: u / |u|, the tensor's norm; group-l2: each row over its norm; 0 where the norm is 0
//
// Source: arXiv:2310.05898 (the recursion; the list of K is ours). State m. u is formed as in Lion. After many steps without a gradient u is
// denormal: then it is lifted by a power of two, so that no quotient leaves float.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct LionKappaBase : RuleDefaults {
  static constexpr int states = 1;

  enum { lr, beta1, beta2, weightDecay, e };

  struct Coefficients {
    float beta1, oneMinusBeta1, beta2, oneMinusBeta2, minusLr, decay, e, lift;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[beta1]), float(1.0 - h[beta1]),
            float(h[beta2]), float(1.0 - h[beta2]),
            float(-h[lr]),   float(1.0 - h[lr] * h[weightDecay]),
            float(h[e]),     1.0f};
  }

  template <class F>
  FETTLE_FN F blend(const Coefficients& c, F m, F g) {
    const F kept = F(c.beta1) * m;
    const F taken = F(c.oneMinusBeta1) * g;
    return kept + taken;
  }

  template <class F>
  FETTLE_FN void move(const Coefficients& c, F& p, F g, F* state, F direction) {
    p = fma(F(c.minusLr), direction, p * F(c.decay));
    state[0] = movingAverage(state[0], g, F(c.beta2), F(c.oneMinusBeta2));
  }
};

struct LionHuber : LionKappaBase {
  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    move(c, p, g, state, clamp(blend(c, state[0], g) / F(c.e), F(1.0f)));
  }
};

struct LionRelativistic : LionKappaBase {
  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    // The square of what is this large or, e included, this small is no float: a power of two moves both, which the quotient does not see.
    const F all = blend(c, state[0], g);
    const F size = larger(absolute(all), F(c.e));
    const F scale = select(size > F(0x1p60f), F(0x1p-64f), select(size < F(0x1p-60f), F(0x1p64f), F(1.0f)));
    const F u = all * scale;
    const F e = F(c.e) * scale;
    move(c, p, g, state, u / root(fma(u, u, e * e)));
  }
};

struct LionDeadzone : LionKappaBase {
  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    const F u = blend(c, state[0], g);
    move(c, p, g, state, select(absolute(u) <= F(c.e), F(0.0f), sign(u)));
  }
};

struct LionL2 : LionKappaBase {
  static constexpr int gathers = 1;
  static constexpr int sums = 1;

  template <class F>
  FETTLE_FN void gather(int, const Coefficients& c, F, F g, F* state, Terms<F>& terms) {
    terms.a[0] = terms.b[0] = blend(c, state[0], g);
  }

  FETTLE_FN void combine(int, const StepContext& step, const double* sums, Coefficients& c) {
    const double norm = rootOf(sums[0]);
    const double up = liftOf(norm);
    c.minusLr = sums[0] == 0.0 ? 0.0f : float(-(step.hyper[lr] / (norm * up)));
    c.lift = float(up);
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    move(c, p, g, state, blend(c, state[0], g) * F(c.lift));
  }
};

struct LionGroupL2 : LionL2 {
  static constexpr bool rowwise = true;

  FETTLE_FN double score(const StepContext&, const double*) { return 0.0; }
  FETTLE_FN void combine(int, const StepContext&, const double*, Coefficients&) {}

  FETTLE_FN void row(int, const StepContext& step, const Coefficients&, const Row& row) {
    const double norm = rootOf(row.sums[0]);
    const double up = liftOf(norm);
    row.coefficients[0] = row.sums[0] == 0.0 ? 0.0f : float(-(step.hyper[lr] / (norm * up)));
    row.coefficients[1] = float(up);
  }

  FETTLE_FN void enter(const float* row, Coefficients& c) {
    c.minusLr = row[0];
    c.lift = row[1];
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
