// A rule's serial functions over the plan's plain arrays of floats: what a driver calls without knowing the rule.
#pragma once

#include <string.h>

#include "core/rule.h"

namespace fettle {
namespace FETTLE_TIER {

template <class R>
FETTLE_FN void prepareRule(const StepContext& step, float* coefficients) {
  static_assert(sizeof(typename R::Coefficients) <= FETTLE_MAX_COEFFICIENTS * sizeof(float), "too many coefficients");
  static_assert(R::states <= FETTLE_MAX_STATES && R::sums <= FETTLE_MAX_SUMS, "too many states or sums");
  const typename R::Coefficients c = R::coefficients(step);
  memcpy(coefficients, &c, sizeof c);
}

template <class R>
FETTLE_FN void combineRule(int k, const StepContext& step, const double* sums, float* coefficients) {
  if constexpr (R::gathers > 0) {
    typename R::Coefficients c;
    memcpy(&c, coefficients, sizeof c);
    R::combine(k, step, sums, c);
    memcpy(coefficients, &c, sizeof c);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
