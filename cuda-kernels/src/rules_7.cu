// The kernels of rules 7, 15, 23, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<7>(int rule) {
  return findKernels<7>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
