// What one of the rule kernels' files holds: the kernels of every rule whose number falls to it.
#pragma once

#include "apply.cuh"
#include "apply_blocks.cuh"
#include "gather.cuh"
#include "rules.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <class R>
RuleKernels kernelsOf() {
  RuleKernels kernels = {R::gathers, R::sums, R::rowwise, apply<R>, nullptr, nullptr, nullptr};
  if constexpr (R::gathers > 0) kernels.gather = gather<R, false>;
  if constexpr (R::states > 0) kernels.applyBlocks = applyBlocks<R>;
  if constexpr (R::states > 0 && R::gathers > 0) kernels.gatherBlocks = gather<R, true>;
  return kernels;
}

template <int file, int number = file>
RuleKernels findKernels(int rule) {
  if constexpr (number < ruleCount) {
    if (rule == number) return kernelsOf<typename RuleAt<number>::Type>();
    return findKernels<file, number + kernelFiles>(rule);
  } else {
    return {};
  }
}

}  // namespace FETTLE_TIER
}  // namespace fettle
