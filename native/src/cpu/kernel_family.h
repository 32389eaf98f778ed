// The entry points of one family of kernels; see kernel_tier.h. Included once, after the specialisations.

#ifndef FETTLE_FAMILY
#error "define FETTLE_FAMILY, the family's list, before including this"
#endif

namespace fettle {
namespace FETTLE_TIER {

#define FETTLE_KERNEL(id, ...)                                              \
  void kernel_##id(const fettle_call& call, int64_t first, int64_t last);   \
  void kernel_##id(const fettle_call& call, int64_t first, int64_t last) {  \
    CpuKernel<__VA_ARGS__>::range(call, first, last);                       \
  }
#include FETTLE_FAMILY
#undef FETTLE_KERNEL

}  // namespace FETTLE_TIER
}  // namespace fettle
