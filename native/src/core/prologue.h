// What happens to a gradient before the rule sees it.
#pragma once

#include "core/numeric.h"
#include "fettle/plan.h"

namespace fettle {
namespace FETTLE_TIER {

// Every factor is 1 (or infinity) where it is not asked for, and then changes no bit.
struct Prologue {
  float unscale;
  float clipValue;
  float clipFactor;

  template <class F>
  FETTLE_INLINE F apply(F g) const {
    return clamp(g * F(unscale), F(clipValue)) * F(clipFactor);
  }

  // Whether apply changes no bit of anything but a NaN.
  FETTLE_INLINE bool isIdentity() const {
    return unscale == 1.0f && clipFactor == 1.0f && clipValue > 3.4028234e38f;
  }
};

// Whether what a pruning mask prunes is hidden from the rule, and from the norms.
FETTLE_FN bool hides(const fettle_plan& plan, const fettle_tensor& tensor) {
  return tensor.mask != nullptr && plan.masked_states != FETTLE_MASKED_UPDATE;
}

// As the rule sees it.
FETTLE_FN Prologue prologueOf(const fettle_tensor& tensor) {
  return {tensor.unscale, tensor.clip_value, tensor.clip_factor};
}

// As the norms see it: they are what the clip factor comes from.
FETTLE_FN Prologue normPrologueOf(const fettle_tensor& tensor) { return {tensor.unscale, tensor.clip_value, 1.0f}; }

}  // namespace FETTLE_TIER
}  // namespace fettle
