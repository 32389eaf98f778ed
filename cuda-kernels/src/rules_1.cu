// The kernels of rules 1, 9, 17, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<1>(int rule) {
  return findKernels<1>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
