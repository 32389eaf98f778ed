// The kernels of rules 3, 11, 19, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<3>(int rule) {
  return findKernels<3>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
