// The kernels of one family, for the table of calls.cpp. Included once, after the specialisations.

#ifndef FETTLE_FAMILY
#error "define FETTLE_FAMILY, the family's list, before including this"
#endif

namespace fettle {
namespace FETTLE_TIER {

#define FETTLE_KERNEL(id, ...)                                            \
  UnitKernel unitKernel_##id();                                           \
  UnitKernel unitKernel_##id() {                                          \
    return {runUnits<__VA_ARGS__>, CudaKernel<__VA_ARGS__>::threadsPerUnit}; \
  }
#include FETTLE_FAMILY
#undef FETTLE_KERNEL

}  // namespace FETTLE_TIER
}  // namespace fettle
