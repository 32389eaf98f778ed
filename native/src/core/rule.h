// What a rule sees and what it may say. native/src/rules/skeleton.h is a commented rule to copy.
#pragma once

#include "core/numeric.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

// What a step tells a rule before it forms its coefficients.
struct StepContext {
  const double* hyper;  // the group's hyperparameters; hyper[0] is this step's lr
  int64_t step;         // t, 1 in a tensor's first step
  double gradientNorm;  // global norm of the gradients as the rule sees them; 0 unless the rule asks for it
  double elements;      // elements of the tensor
  double rows;          // rows of the reductions, 1 unless the rule reduces by rows
  double rowLength;
  int64_t rank;         // axes of the tensor
  double largestScore;  // in combine: the largest score() of a row
  double* scalars;      // the rule's double scalars of this tensor, to be read and replaced
};

// Defaults that a rule inherits and overrides where it differs.
struct RuleDefaults {
  static constexpr int gathers = 0;               // reductions that must be complete before the update
  static constexpr int sums = 0;                  // sums that each gather forms
  static constexpr bool maximum = false;          // a gather takes the largest a[k] in place of a sum of products
  static constexpr bool rowwise = false;          // sums are formed per row too, and row() turns them into coefficients
  static constexpr bool needsGradientNorm = false;
  // Whether gather k reads every array: so many that the processor does not keep up by itself and is told what comes.
  static constexpr bool readsAll(int) { return false; }
};

// What a rule that reduces by rows says of one row: its sums of the last gather, the double that it keeps between steps (where the
// plan has one) and the coefficients to be formed.
struct Row {
  const double* sums;
  double* state;
  float* coefficients;
};

// The pairs whose products a gather sums, in double: sum k is the sum over all elements of a[k] * b[k].
template <class F>
struct Terms {
  F a[FETTLE_MAX_SUMS];
  F b[FETTLE_MAX_SUMS];
};

}  // namespace FETTLE_TIER
}  // namespace fettle
