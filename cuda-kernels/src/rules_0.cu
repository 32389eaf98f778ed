// The kernels of rules 0, 8, 16, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<0>(int rule) {
  return findKernels<0>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
