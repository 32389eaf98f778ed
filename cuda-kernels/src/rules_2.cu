// The kernels of rules 2, 10, 18, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<2>(int rule) {
  return findKernels<2>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
