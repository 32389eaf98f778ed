// Products of matrices on the CPU.
//
// An integer product has a path per instruction set; call.integer[4] says which, and whoever fills the call has asked
// the CPU. All paths share the packed right operand, whose bytes have 128 added: the sums are put right by 128 times the left rows' sums.
#include "cpu/kernel_tier.h"
#include "cpu/product_paths.h"

namespace fettle {
namespace FETTLE_TIER {

template <>
struct CpuKernel<IntegerProduct> {
  static inline __attribute__((always_inline)) void range(const fettle_call& call, int64_t first, int64_t last) {
    productRange(call, first, last);
  }
};

}  // namespace FETTLE_TIER
}  // namespace fettle

#define FETTLE_FAMILY "fettle/kernels/products.def"
#include "cpu/kernel_family.h"
