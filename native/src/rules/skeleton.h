// Skeleton: a rule to copy. Not in the registry; docs/add-an-optimizer.md walks through it.
//
//   m <- beta * m + (1 - beta) * g ;  p <- p - lr * m
//
// Source: name the paper (arXiv number, equation) or the repository that the rule follows.
// State m, starting at 0. Rounding: say here what is rounded where, if it is not one operation after another.
#pragma once

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

struct Skeleton : RuleDefaults {
  static constexpr int states = 1;

  // Positions in StepContext::hyper; the Java record writes them in the same order. lr is always first.
  enum { lr, beta };

  // Final numbers, formed once per step and tensor in double and rounded once to float.
  struct Coefficients {
    float beta, oneMinusBeta, minusLr;
  };

  FETTLE_FN Coefficients coefficients(const StepContext& step) {
    const double* h = step.hyper;
    return {float(h[beta]), float(1.0 - h[beta]), float(-h[lr])};
  }

  // One element (or one vector of elements): read g, replace p and the states. Write fma where a product
  // feeds a sum; use select() where you would write an if.
  template <class F>
  FETTLE_FN void update(const Coefficients& c, F& p, F g, F* state) {
    state[0] = movingAverage(state[0], g, F(c.beta), F(c.oneMinusBeta));
    p = fma(F(c.minusLr), state[0], p);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle
