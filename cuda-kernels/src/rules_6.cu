// The kernels of rules 6, 14, 22, ... of the registry.
#include "kernels.cuh"

namespace fettle {
namespace FETTLE_TIER {

template <>
RuleKernels kernelsIn<6>(int rule) {
  return findKernels<6>(rule);
}

}  // namespace FETTLE_TIER
}  // namespace fettle
