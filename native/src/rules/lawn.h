// LAWN on Adam: after a free phase the tensor keeps its norm.
//
//   t <= freeSteps: Adam without decay
//   later: K = |p| at the first such step, kept for ever ;  lr * min(1, (t - freeSteps) / warmupSteps)
//          g <- g - p * <p,g> / <p,p> ;  m, v from that g ;  d = (m / c1) / (sqrt(v) / sqrt(c2) + eps)
//          projectUpdate: d <- d - p * <p,d> / <p,p> ;  p <- p - lr * d ;  p <- p * K / |p|
//
// Source: arXiv:2108.05839, abstract only; the details are ours. States m, v; scalar c (K; 0 in the free phase). Three
// gathers: <p,g> and <p,p>; <p,d>; the norm of the new p.
#pragma once

#include "core/rule.h"
#include "rules/moments.h"

namespace fettle {
namespace FETTLE_TIER {

struct Lawn : RuleDefaults {
  static constexpr int states = 2;
  static constexpr int gathers = 3;
  static constexpr int sums = 2;
  static constexpr bool readsAll(int k) { return k > 0; }

  enum { lr, beta1, beta2, eps, freeSteps, warmupSteps, projectUpdate };

  struct Coefficients {
    Moments moments;
    float gradientShare, directionShare, rescale, minusStepSize, scaledEps;
  };

  FETTLE_FN bool constrains(const StepContext& step) { return double(step.step) > step.hyper[freeSteps]; }

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    const AdamCorrections c = adamCorrections(h[beta1], h[beta2], step.step);
    double rate = h[lr];
    if (constrains(step) && h[warmupSteps] > 0.0) {
      const double grown = (double(step.step) - h[freeSteps]) / h[warmupSteps];
      rate = rate * (grown < 1.0 ? grown : 1.0);
    }
    return {Moments::of(h[beta1], h[beta2]), 0.0f, 0.0f, 1.0f, float(-(rate * c.rootSecond / c.first)),
            float(h[eps] * c.rootSecond)};
  }

  template <class F>
  FETTLE_FN F quotient(const Coefficients& c, F p, F g, F* state) {
    g = fma(-F(c.gradientShare), p, g);
    c.moments.update(state[0], state[1], g);
    return state[0] / (root(state[1]) + F(c.scaledEps));
  }

  template <class F>
  FETTLE_FN F moved(const Coefficients& c, F p, F g, F* state) {
    const F d = fma(-F(c.directionShare), p, quotient(c, p, g, state));
    return fma(F(c.minusStepSize), d, p);
  }

  template <class F>
  FETTLE_FN void gather(int k, const Coefficients& c, F p, F g, F* state, Terms<F>& terms) {
    terms.a[1] = terms.b[1] = p;
    if (k == 0) {
      terms.a[0] = p;
      terms.b[0] = g;
    } else if (k == 1) {
      terms.a[0] = p;
      terms.b[0] = quotient(c, p, g, state);
    } else {
      terms.a[0] = terms.b[0] = moved(c, p, g, state);
    }
  }

  FETTLE_FN void combine(int k, const StepContext& step, const double* sums, Coefficients& c) {
    if (!constrains(step)) return;
    if (k == 0) {
      if (step.scalars[0] == 0.0) step.scalars[0] = rootOf(sums[1]);
      c.gradientShare = float(sums[0] / sums[1]);
    } else if (k == 1) {
      if (step.hyper[projectUpdate] != 0.0) c.directionShare = float(sums[0] / sums[1]);
    } else {
      c.rescale = float(step.scalars[0] / rootOf(sums[0]));
    }
  }

  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    p = moved(c, p, g, state) * F(c.rescale);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
