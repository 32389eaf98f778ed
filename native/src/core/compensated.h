// bf16 with a compensation: a second bf16 array holds what rounding the first one left.
//
//   value = high + low ;  high = bf16(value), low = bf16(value - high)
//
// Kahan's sum as a way to store: a step reads and writes the value, whatever it does in between, and 16 bits are kept of it. Where
// high is not finite, low is 0, so that infinities stay what they are. The Java twin is org.fettle.internal.StoredArray.
#pragma once

#include "core/numeric.h"

namespace fettle {
namespace FETTLE_TIER {

FETTLE_FN bool isCompensated(const fettle_operand& operand) { return operand.dtype == FETTLE_BF16_COMPENSATED; }

// What is left of x beside its nearest bf16 value, before it is rounded itself.
template <class F>
FETTLE_FN F leftBeside(F high, F x) {
  return select(high - high == F(0.0f), x - high, F(0.0f));
}

}  // namespace FETTLE_TIER
}  // namespace fettle
