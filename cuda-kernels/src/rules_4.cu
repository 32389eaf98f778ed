// The kernels of rules 4, 12, 20, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<4>(int rule) {
  return findKernels<4>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
