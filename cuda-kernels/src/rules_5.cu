// The kernels of rules 5, 13, 21, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<5>(int rule) {
  return findKernels<5>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
