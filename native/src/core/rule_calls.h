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

// How much a row speaks for a branch that all rows of a tensor take together.
template <class R>
FETTLE_FN double scoreRow(const StepContext& step, const double* sums) {
  if constexpr (R::rowwise) {
    return R::score(step, sums);
  } else {
    return 0.0;
  }
}

template <class R>
FETTLE_FN void combineRow(int k, const StepContext& step, const float* coefficients, const Row& row) {
  if constexpr (R::rowwise) {
    typename R::Coefficients c;
    memcpy(&c, coefficients, sizeof c);
    R::row(k, step, c, row);
  }
}

// The coefficients of one row: the tensor's, with the row's own in their first places.
template <class R>
FETTLE_FN void enterRow(const float* row, float* coefficients) {
  if constexpr (R::rowwise) {
    typename R::Coefficients c;
    memcpy(&c, coefficients, sizeof c);
    R::enter(row, c);
    memcpy(coefficients, &c, sizeof c);
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
